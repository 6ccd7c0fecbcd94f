"""Builds the view of the visitor's image above the results, with the part of it that is searched."""

from dataclasses import dataclass

from db.images.messages import Box
from db.images.webp_size import webp_size
from web.http.addresses import address
from web.page.brand.languages import gettext, marked
from web.page.images.box import write
from web.page.state import PageState

WIDTH, HEIGHT = 432, 288  # the image fits this rectangle; CSS pixels
_WHOLE: Box = (0.0, 0.0, 1.0, 1.0)
# Parts that a visitor can choose without dragging.
_PARTS: tuple[tuple[str, Box | None], ...] = (
    (marked("Whole image"), None),
    (marked("Left half"), (0.0, 0.0, 0.5, 1.0)),
    (marked("Right half"), (0.5, 0.0, 0.5, 1.0)),
    (marked("Top half"), (0.0, 0.0, 1.0, 0.5)),
    (marked("Bottom half"), (0.0, 0.5, 1.0, 0.5)),
    (marked("Middle"), (0.25, 0.25, 0.5, 0.5)),
)


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the image in thousandths of its width and height."""

    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Part:
    label: str
    address: str
    area: Area
    chosen: bool


@dataclass(frozen=True, slots=True)
class Photo:
    image: str
    width: int  # CSS pixels
    height: int
    is_tall: bool  # on a phone, a tall image has a fixed height, and another image has the width of the page
    area: Area  # the part that is searched
    is_whole: bool
    parts: list[Part]


def photo(state: PageState, image: bytes | None) -> Photo | None:
    """Returns the view of the visitor's image. `image` is a WebP file; without it, the function returns None."""
    size = webp_size(image) if image else None
    if size is None:
        return None
    scale = min(WIDTH / size[0], HEIGHT / size[1])
    parts = [Part(gettext(label), state.but(box=box).address(), _area(box), box == state.box) for label, box in _PARTS]
    return Photo(
        image=address(f"/picture/{state.image}"),
        width=max(1, round(size[0] * scale)),
        height=max(1, round(size[1] * scale)),
        is_tall=size[0] < 1.4 * size[1],
        area=_area(state.box),
        is_whole=state.box is None,
        parts=parts,
    )


def hidden(state: PageState) -> dict[str, str]:
    """Returns the values of the search form's hidden fields `picture` and `box`."""
    return {"image": state.image, "box": write(state.box) if state.image else ""}


def _area(box: Box | None) -> Area:
    return Area(*(round(each * 1000) for each in box or _WHOLE))
