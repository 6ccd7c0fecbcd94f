"""Reads the gettext catalogs of a theme. A catalog adds a language to the page, or changes texts of a language.

If a catalog lacks a text, the page uses its own translation of this text or, in an added language, the English text. So
a new version of the page needs no new theme. A faulty catalog is left out with one error in the log, and the page keeps
its other languages.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from gettext import NullTranslations
from pathlib import Path

import structlog
from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import PoFileError, read_po

from db.errors import SettingsError
from web.page.brand import languages
from web.page.brand.theme import MAX_BYTES, MAX_FILES, SETTING

_NAME = re.compile(r"([a-z]{2,3})\.po")


def read_translations(folder: Path) -> dict[str, NullTranslations]:
    """Returns the translations by language, without those that cannot be used. Raises SettingsError if the folder
    cannot be read or has too many files."""
    if not folder.is_dir():
        return {}
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise _bad(folder, str(error)) from error
    if len(paths) > MAX_FILES:
        raise _bad(folder, f"there are {len(paths):,} files; a theme may have {MAX_FILES}")
    found = {}
    for path in paths:
        try:
            named = _NAME.fullmatch(path.name)
            if named is None or not _is_known(named[1]):
                raise _bad(path, "the name is not the code of a language, such as it.po")
            found[named[1]] = _read(path, named[1])
        except SettingsError as error:
            structlog.get_logger().error("the page leaves out a catalog of the theme", reason=str(error))
    return found


def _is_known(language: str) -> bool:
    try:
        return bool(Locale.parse(language))
    except (UnknownLocaleError, ValueError):
        return False


def _read(path: Path, language: str) -> NullTranslations:
    line = 0

    def counted(lines: Iterable[bytes]) -> Iterator[bytes]:
        nonlocal line
        for content in lines:
            line += 1
            yield content

    try:
        if path.stat().st_size > MAX_BYTES:
            raise _bad(path, f"the file is larger than {MAX_BYTES:,} bytes")
        with path.open("rb") as file:
            catalog = read_po(counted(file), locale=language, abort_invalid=True)
        _remove_unusable(path, catalog)
        line = 1  # only the header, such as its plural forms, can still be faulty
        translations = languages.compiled(catalog)
    except OSError as error:
        raise _bad(path, error.strerror or str(error)) from error
    except PoFileError as error:
        raise _bad(path, f"line {error.lineno + 1}: {error}") from error
    except (LookupError, TypeError, ValueError) as error:  # an encoding, a header or a text that cannot be read
        raise _bad(path, f"line {line}: {error}") from error
    translations.add_fallback(languages.translations(language))
    return translations


def _remove_unusable(path: Path, catalog: Catalog) -> None:
    """Remove texts that are not translated, and texts that this version of the page does not have. Raises SettingsError
    for a translation whose placeholders are not those of the English text."""
    known = languages.texts() | languages.plurals()
    unknown = 0
    for message in [each for each in catalog if each.id]:  # the header has no id
        forms: Sequence[str] = [message.string] if isinstance(message.string, str) else message.string or []
        if (message.id if isinstance(message.id, str) else tuple(message.id)) not in known:
            unknown += 1
        elif any(forms):
            _check(path, message, forms)
            continue
        catalog.delete(message.id)
    if unknown:
        structlog.get_logger().warning("the page does not have some texts of the theme", file=str(path), texts=unknown)


def _check(path: Path, message: Message, forms: Sequence[str]) -> None:
    english = message.id if isinstance(message.id, str) else message.id[-1]
    for form in forms:
        if not languages.has_placeholders_of(form, english):
            why = f"{form[:80]!r} does not have the same placeholders %(...)s as {english[:80]!r}"
            raise _bad(path, f"line {message.lineno}: {why}")


def _bad(path: Path, why: str) -> SettingsError:
    return SettingsError(f"{SETTING}: {path}: {why}")
