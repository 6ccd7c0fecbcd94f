"""Converts images to 8 bits per channel where Pillow's own conversion is wrong: grey of 16 or 32 bits, CMYK and Lab."""

from io import BytesIO
from typing import Any

from PIL import Image, ImageCms, TiffTags

_WHITE_IS_ZERO = 0  # value of TIFF's tag PhotometricInterpretation
_PHOTOMETRIC = next(number for number, tag in TiffTags.TAGS_V2.items() if tag.name == "PhotometricInterpretation")


def eight_bit(image: Image.Image) -> Image.Image:
    """Returns the image with 8 bits per channel. An image that Pillow itself converts well is returned unchanged."""
    if image.mode.startswith("I") or image.mode == "F":
        return _grey(image)
    if image.mode == "CMYK":
        return _from_cmyk(image)
    if image.mode == "LAB":
        return _profiled(image, ImageCms.createProfile("LAB"))
    return image


def _grey(image: Image.Image) -> Image.Image:
    """Scale grey of 16 or 32 bits, or of floats, to 8 bits. Pillow's own conversion would turn most tones white."""
    import numpy as np  # imported here: the import takes 0.1 s, and a thumbnail rarely needs it

    tones = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    # White is the smallest number of `ranges` that no tone exceeds, so it is 65535 in every 16-bit image. If a tone
    # exceeds all of `ranges`, white is the brightest tone.
    ranges = [1.0, 255.0, 65535.0] if image.mode == "F" else [65535.0, 2.0**31 - 1]
    brightest = float(tones.max(initial=0.0))
    white = next((each for each in ranges if brightest <= each), brightest)
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        tones = white - tones
    grey = Image.fromarray((tones * (255 / white)).round().clip(0, 255).astype(np.uint8))
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        grey.putalpha(Image.fromarray(np.where(np.asarray(image) == clear, 0, 255).astype(np.uint8)))
    return grey


def _from_cmyk(image: Image.Image) -> Image.Image:
    """Convert CMYK by the profile in the file, as browsers do. Without a valid profile, use Pillow's conversion."""
    profile = image.info.get("icc_profile")
    if profile:
        try:
            return _profiled(image, ImageCms.ImageCmsProfile(BytesIO(profile)))
        except (ImageCms.PyCMSError, OSError, ValueError):  # a damaged profile
            pass
    return image.convert("RGB")


def _profiled(image: Image.Image, profile: Any) -> Image.Image:
    converted = ImageCms.profileToProfile(image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert converted is not None  # only a conversion in place returns None
    return converted
