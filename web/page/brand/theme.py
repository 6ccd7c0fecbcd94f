"""Reads a shop's theme: a folder with its name, logo, colours, texts, files and templates.

The files are read once, when the service starts; only templates are read again when they change. Each file is optional:

    theme.toml      name, description, colours and texts
    theme.css       CSS rules that come after those of the page
    logo.svg        also .png, .webp or .jpg; stands beside the search box instead of the name
    icon.svg        also .png; the icon of the browser's tab
    social.png      also .jpg or .webp; the image of links to the page in social networks
    robots.txt      replaces the page's own
    templates/      templates that replace those of the page, and further templates
    translations/   gettext catalogs such as it.po, each with a further language or with other texts for a language
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from gettext import NullTranslations
from pathlib import Path

import msgspec

from db.errors import SettingsError
from web.page.brand.served_files import File, file_of, read_files, suffix

SETTING = "WINDOWSHOP_WEB_THEME"
COLORS = (
    "page", "raised", "tile", "line", "ink", "faint", "accent", "on-accent", "wash", "bad", "bad-wash"
)  # fmt: skip
MAX_FILES, MAX_BYTES = 100, 2_000_000  # the largest number of files, and the largest size of a file
_COLOR = re.compile(r"#([0-9a-fA-F]{3}|[0-9a-fA-F]{6})")
_IMAGES = {"logo": ("svg", "png", "webp", "jpg"), "icon": ("svg", "png"), "social": ("png", "jpg", "webp")}

Texts = Mapping[str, Mapping[str, str]]  # language -> English text of the page -> text of the shop


class _File(msgspec.Struct, forbid_unknown_fields=True):
    """The contents of theme.toml."""

    name: str = "Windowshop"
    description: str = ""
    colors: dict[str, str | list[str]] = {}
    texts: dict[str, dict[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Theme:
    name: str = "Windowshop"
    description: str = ""
    files: Mapping[str, File] = field(default_factory=dict)
    texts: Texts = field(default_factory=dict)
    templates: Path | None = None
    robots: str | None = None
    translations: Mapping[str, NullTranslations] = field(default_factory=dict)  # by language

    @property
    def logo(self) -> str | None:
        return self._image("logo")

    @property
    def icon(self) -> str:
        return self._image("icon") or "icon.svg"  # the page's own icon

    @property
    def social(self) -> str | None:
        return self._image("social")

    @property
    def has_css(self) -> bool:
        return "theme.css" in self.files

    def _image(self, stem: str) -> str | None:
        return next((f"{stem}.{kind}" for kind in _IMAGES[stem] if f"{stem}.{kind}" in self.files), None)


def read_theme(folder: Path) -> Theme:
    """Returns the theme of the folder, without its translations; make_site adds them. Raises SettingsError for a folder
    or a file that cannot be used."""
    if not folder.is_dir():
        raise _bad(folder, "there is no such folder")
    try:
        entries = sorted(entry for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
        _check_sizes(folder, entries)
        about = _about(folder / "theme.toml")
        files = read_files(entry for entry in entries if re.fullmatch(r"[A-Za-z0-9._-]{1,80}", entry.name))
        robots = folder / "robots.txt"
        rules = robots.read_text(encoding="utf-8") if robots.is_file() else None
    except OSError as error:
        raise _bad(Path(error.filename or folder), error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise _bad(folder, f"a text is not UTF-8: {error}") from error
    css = _colors(folder / "theme.toml", about.colors).encode()
    if css:
        own = files["theme.css"].content if "theme.css" in files else b""
        files["theme.css"] = file_of("theme.css", css + own)
    templates = folder / "templates"
    return Theme(about.name, about.description, files, about.texts, templates if templates.is_dir() else None, rules)


def _check_sizes(folder: Path, entries: list[Path]) -> None:
    if len(entries) > MAX_FILES:
        raise _bad(folder, f"there are {len(entries):,} files; a theme may have {MAX_FILES}")
    for entry in entries:
        if entry.stat().st_size > MAX_BYTES:
            raise _bad(entry, f"the file is larger than {MAX_BYTES:,} bytes")
        if entry.stem in _IMAGES and suffix(entry.name) not in _IMAGES[entry.stem] and suffix(entry.name) != "toml":
            known = ", ".join(f"{entry.stem}.{kind}" for kind in _IMAGES[entry.stem])
            raise _bad(entry, f"the page cannot use this file; give {known}")


def _about(path: Path) -> _File:
    if not path.is_file():
        return _File()
    try:
        about = msgspec.convert(tomllib.loads(path.read_text(encoding="utf-8")), _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise _bad(path, str(error)) from error
    if not 1 <= len(about.name.strip()) <= 60:
        raise _bad(path, "name has 1 to 60 characters")
    if len(about.description) > 300:
        raise _bad(path, "description has at most 300 characters")
    return about


def _colors(path: Path, colors: Mapping[str, str | list[str]]) -> str:
    """Returns the rule that sets the colours, or an empty text without colours. A colour may be a pair, for a light and
    a dark colour scheme. Raises SettingsError for an unknown name or a value that is no colour."""
    rules = []
    for name, given in colors.items():
        if name not in COLORS:
            raise _bad(path, f"there is no colour {name[:40]}; the colours are {', '.join(COLORS)}")
        pair = [given] if isinstance(given, str) else given
        if len(pair) not in (1, 2) or not all(_COLOR.fullmatch(one) for one in pair):
            raise _bad(path, f'the colour {name} is "#rrggbb", or ["#rrggbb", "#rrggbb"] for light and for dark')
        rules.append(f"--{name}:light-dark({pair[0]},{pair[-1]});")
    return f":root{{{''.join(rules)}}}\n" if rules else ""


def _bad(path: Path, why: str) -> SettingsError:
    return SettingsError(f"{SETTING}: {path}: {why}")
