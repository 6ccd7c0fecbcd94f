"""Extracts the visible text of a piece of HTML."""

import re
from collections.abc import Mapping
from functools import lru_cache
from html.parser import HTMLParser
from typing import Any

BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table",
    "td", "th", "tr", "ul",
))  # fmt: skip
UNSEEN = frozenset(("script", "style", "template", "head", "noscript"))
# The tags of HTML that are removed. A start tag that is not in this list, such as <M> in "Size <M>", counts as text if
# its name has only letters and digits. All other tags, such as <o:p>, are removed too.
TAGS = BLOCKS | UNSEEN | frozenset((
    "a", "abbr", "acronym", "area", "audio", "b", "base", "bdi", "bdo", "big", "body", "button", "canvas", "caption",
    "center", "cite", "code", "col", "colgroup", "data", "datalist", "del", "details", "dfn", "dialog", "dir", "em",
    "embed", "fieldset", "font", "form", "frame", "frameset", "hgroup", "html", "i", "iframe", "img", "input", "ins",
    "kbd", "label", "legend", "link", "map", "mark", "menu", "meta", "meter", "nobr", "noframes", "object", "optgroup",
    "option", "output", "param", "path", "picture", "progress", "q", "rp", "rt", "ruby", "s", "samp", "search",
    "select", "slot", "small", "source", "span", "strike", "strong", "sub", "summary", "sup", "svg", "tbody",
    "textarea", "tfoot", "thead", "time", "title", "track", "tt", "u", "var", "video", "wbr",
))  # fmt: skip
_ENTITY = re.compile(r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_BARE_AMPERSAND = re.compile(rf"&(?!{_ENTITY.pattern[1:]})")
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*:)?//\S+", re.IGNORECASE)


def has_html(text: str) -> bool:
    """Returns whether the text may have tags or entities."""
    return "<" in text or ("&" in text and _ENTITY.search(text) is not None)


def plain_text(html: str) -> str:
    """Returns the text without tags, with entities resolved, and with each block element on a line of its own.

    Feeds often escape HTML twice. So if the resolved entities give further tags, these tags are removed too. Raises no
    error: a tag without its '>' counts as text, and an element without an end tag counts as closed at the end of the
    text.
    """
    if not has_html(html):
        return html.strip()
    text = _without_tags(html)
    return _without_tags(text) if "&" in html and has_html(text) else text


@lru_cache(maxsize=10_000)  # short texts, such as brands and categories, repeat
def plain_line(html: str) -> str:
    """Returns `plain_text` of the HTML, in one line."""
    return " ".join(plain_text(html).split())


def plain_members(value: Any) -> Any:
    """Returns the value of an attribute, in which each text with HTML is replaced by its `plain_text`. A text that is
    an address stays the same.
    """
    if isinstance(value, str):
        return plain_text(value) if has_html(value) and not _ADDRESS.fullmatch(value) else value
    if isinstance(value, Mapping):
        return {name: plain_members(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain_members(member) for member in value]
    return value


def _without_tags(html: str) -> str:
    words = _Words()
    words.feed(_BARE_AMPERSAND.sub("&amp;", html))
    words.close()
    lines = (" ".join(line.split()) for line in "".join(words.pieces).splitlines())
    return "\n".join(line for line in lines if line)


class _Words(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._is_text(tag):
            self.pieces.append(self.get_starttag_text() or "")
        self._unseen += tag in UNSEEN
        if tag in BLOCKS:
            self.pieces.append("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._is_text(tag):
            self.pieces.append(self.get_starttag_text() or "")
        if tag in BLOCKS:
            self.pieces.append("\n")

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in UNSEEN))
        if tag in BLOCKS:
            self.pieces.append("\n")

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.pieces.append(data)

    @staticmethod
    def _is_text(tag: str) -> bool:
        return tag not in TAGS and tag.isalnum()
