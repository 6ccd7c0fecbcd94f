"""Finds columns that belong together: the name and the value of an option, and the levels of a category."""

import re
from collections.abc import Iterable
from functools import lru_cache

from db.catalog.names import plain_words

_NUMBER = r"_?(?P<number>[0-9]*)"
_NAME = re.compile(r"(?P<rest>.*?)_?(?:names?|naam|nom|nombre|nome|nazwa|label)" + _NUMBER)
_VALUE = re.compile(r"(?P<rest>.*?)_?(?:wertname|werte?|values?|valeur|valore?|waarde|wartosc)" + _NUMBER)
_COUNTED = re.compile("[0-9]|(?<![a-z])(?:one|two|three)(?![a-z])")
_CATEGORY = "(?:category|kategorie|categorie|categoria|kategoria|kategori|warengruppe)"
_LEVEL = re.compile(
    f"(?:product|item|artikel|produkt)?{_CATEGORY}(?:level|lvl|ebene|niveau|nivel|livello|poziom)(?P<number>[1-9])"
    f"|(?:level|lvl)(?P<first>[1-9]){_CATEGORY}"
)
_FIRST = re.compile(f"(?:product|item|artikel|produkt)?{_CATEGORY}(?:id|name|path)?1(?:name)?")
_NAMED_LEVELS = (
    re.compile(f"(?:main|haupt|hoofd){_CATEGORY}|{_CATEGORY}principale?|hoofdgroep|hauptgruppe|glowna{_CATEGORY}"),
    re.compile(f"(?:sub|unter|sous|sotto|pod){_CATEGORY}|subgroep|untergruppe"),
    re.compile(f"(?:subsub|unterunter){_CATEGORY}|subsubgroep"),
)


def pairs(names: Iterable[str]) -> list[tuple[str, str]]:
    """Returns the columns with the name and the value of the same option, such as "option_name_1" and
    "option_value_1"."""
    names = list(names)
    values = {key: name for name in names if (key := _key(name, _VALUE))}
    return [(name, values.pop(key)) for name in names if (key := _key(name, _NAME)) in values]


def category_levels(names: Iterable[str]) -> list[str]:
    """Returns the columns with the levels of a category, such as "category_level_1" or "main_category", from the
    highest level to the lowest. Columns such as "category_1" and "category_2" may be categories side by side, so only
    the first is returned."""
    names = list(names)
    levels = {name: level for name in names if (level := _level(name))}
    first = (name for name in names if _FIRST.fullmatch("".join(plain_words(name))))
    return sorted(levels, key=levels.__getitem__) or list(first)[:1]


@lru_cache(maxsize=10_000)
def _key(name: str, pattern: re.Pattern[str]) -> tuple[str, str] | None:
    found = pattern.fullmatch("_".join(plain_words(name)))
    if found is None or not _COUNTED.search(found["rest"] + found["number"]):
        return None
    return found["rest"], found["number"]


@lru_cache(maxsize=10_000)
def _level(name: str) -> int | None:
    plain = "".join(plain_words(name))
    if found := _LEVEL.fullmatch(plain):
        return int(found["number"] or found["first"])
    return next((level for level, pattern in enumerate(_NAMED_LEVELS, 1) if pattern.fullmatch(plain)), None)
