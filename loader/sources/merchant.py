"""Reads Google Merchant Center feeds. XML feeds are RSS or Atom, with the fields of a product in the namespace g.

Feeds of delimited text or JSON Lines need no reader of their own, because delimited.py and jsonl.py know the names of
their fields.
"""

import re
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from defusedxml import DefusedXmlException, DTDForbidden
from defusedxml.ElementTree import ParseError, XMLParser

from db.catalog.names import normalised
from db.catalog.product import RawProduct
from db.errors import LoaderError
from loader.errors import NotACatalog, NothingToLoad, SourceDamaged
from loader.rejects import Reject
from loader.sources.delimited import DelimitedSource
from loader.sources.jsonl import JsonLinesSource
from loader.sources.reading.catalog_file import CatalogFile
from loader.sources.reading.columns import FieldColumns
from loader.sources.reading.file_head import FileHead
from loader.sources.reading.keyed import KeyedRows
from loader.sources.reading.lines import MAX_RECORD, TOO_LONG

FIELDS = frozenset(("id", "title", "link", "image_link"))  # the columns by which a Google feed is recognised
GOOGLE = ("http://base.google.com/ns/1.0", "http://base.google.com/cns/1.0")
ROOTS = {"rss": "item", "RDF": "item", "feed": "entry"}
FIRST_ITEMS = 100  # the columns are all names in the first 100 items, because an item may omit its empty fields

# XML attributes of RSS and Atom elements that describe the element and are not part of its value
OF_A_LINK = frozenset(("href", "rel", "type", "hreflang", "lang", "length", "isPermaLink", "title", "scheme"))
PIECE = 64 * 1024  # the parser gets this many bytes at a time


def recognises(head: FileHead) -> bool:
    return head.bytes.startswith(b"<") or set(map(normalised, head.names)) >= FIELDS


def merchant_source(
    file: CatalogFile, *, mapping: FieldColumns, image_root: Path | None
) -> "MerchantXmlSource | JsonLinesSource | DelimitedSource":
    head = FileHead(file)
    if head.bytes.startswith(b"<"):
        return MerchantXmlSource(file, mapping=mapping, image_root=image_root)
    if head.bytes.startswith(b"{"):
        return JsonLinesSource(file, mapping=mapping, image_root=image_root, name="merchant")
    return DelimitedSource(file, mapping=mapping, image_root=image_root, name="merchant")


@dataclass
class _Element:
    tag: str  # {namespace}name, as the parser writes it
    texts: list[str] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)
    members: dict[str, Any] = field(default_factory=dict)

    def value(self) -> Any:
        """Returns the text of the element, or its members if it has any. If the element has attributes, returns an
        object with the attributes, the members, and the text as `value`: {"value": "12.50", "currency": "EUR"}."""
        text = "".join(self.texts).strip()
        if not self.attributes:
            return self.members or text
        return {**self.attributes, **({"value": text} if text else {}), **self.members}


@dataclass
class _Item:
    line: int
    depth: int
    size: int = 0  # characters in texts, names and attributes
    too_long: bool = False
    values: tuple[dict[str, Any], dict[str, Any], dict[str, Any]] = field(default_factory=lambda: ({}, {}, {}))

    def record(self) -> dict[str, Any]:
        """Returns the values by name. If several namespaces have the same name, Google's namespace takes precedence
        over RSS and Atom, and these take precedence over any other namespace. A different value of lower precedence is
        returned under the name `feed_...`."""
        google, own, others = self.values
        record = {**others, **own, **google}
        for name in (google.keys() & (own.keys() | others.keys())) | (own.keys() & others.keys()):
            values = [each[name] for each in (own, others) if name in each and each[name] != record[name]]
            if values:
                record[f"feed_{name}"] = values[0] if len(values) == 1 else values
        return record


class _Items:
    """Collects the items from the parser's events. After an item exceeds MAX_RECORD, its remaining text is dropped."""

    def __init__(self, path: Path) -> None:
        self.whole: list[_Item] = []
        self.active = False
        self.expat: Any = None  # the inner parser, which knows the current line
        self._path = path
        self._root = ""
        self._depth = 0
        self._item: _Item | None = None
        self._open: list[_Element] = []  # the open elements of the item, outermost first

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self.active = True
        self._depth += 1
        name = _local(tag)
        if self._depth == 1:
            if name not in ROOTS:
                raise NotACatalog(
                    f"{self._path.name} is XML with the root <{name[:40]}>, not a product feed",
                    hint="Google Merchant feeds have the root <rss> or <feed>.",
                )
            self._root = name
        elif self._item is None:
            if name == ROOTS[self._root] and self._depth <= 3:
                self._item = _Item(self.expat.CurrentLineNumber, self._depth)
        elif self._grown(len(tag) + sum(map(len, attributes.values()))):
            self._open.append(_element(tag, attributes))

    def data(self, text: str) -> None:
        self.active = True
        if self._open and self._grown(len(text)):
            self._open[-1].texts.append(text)

    def comment(self, text: str) -> None:
        self.active = True

    def end(self, tag: str) -> None:
        self.active = True
        self._depth -= 1
        item = self._item
        if item is not None and self._depth < item.depth:
            self.whole.append(item)
            self._item = None
        elif item is not None and not item.too_long:
            element = self._open.pop()
            into = self._open[-1].members if self._open else _rank(element.tag, item)
            _put(into, _local(element.tag), element.value())

    def close(self) -> None:
        pass

    def _grown(self, by: int) -> bool:
        """Adds `by` to the size of the item. Returns False if the item is now too long."""
        item = self._item
        assert item is not None
        item.size += by
        if item.size > MAX_RECORD and not item.too_long:
            item.too_long = True
            self._open.clear()
        return not item.too_long


class MerchantXmlSource:
    name = "merchant"

    def __init__(self, file: CatalogFile, *, mapping: FieldColumns, image_root: Path | None) -> None:
        self.path = file.path
        self.image_root = image_root or file.path.absolute().parent
        self.size = file.size
        self._file = file
        if re.match(rb"(\xef\xbb\xbf)?\s*<(!doctype\s+)?html\b", file.head, re.IGNORECASE):
            raise NotACatalog(
                f"{file.path.name} is an HTML page, not a product feed", hint="Was it fetched without a login?"
            )
        with closing(self._items()) as items:
            if all(item.too_long for item in items):
                raise NothingToLoad(f"{file.path.name} holds no <item> or <entry>", hint="Nothing was changed.")
        names: dict[str, str] = {}
        with closing(self._records()) as records:
            for record in islice(records, FIRST_ITEMS):
                for name in record:
                    names.setdefault(normalised(name), name)
        with closing(self._records()) as records:
            self._rows = KeyedRows(file.path, list(names.values()), mapping, records)

    @property
    def columns(self) -> Mapping[str, str]:
        return self._rows.columns

    @property
    def done(self) -> int:
        return self._file.bytes_read

    def rows(self) -> Iterator[RawProduct | Reject]:
        for item in self._items():
            record = item.record()
            if item.too_long:
                yield Reject(item.line, self._rows.sku(record), f"the item is {TOO_LONG}")
            else:
                yield self._rows.row(item.line, record)

    def _records(self) -> Generator[dict[str, Any]]:
        """Yields the items that are not too long. Stops without an error where the file cannot be read, because the
        load itself reports that error."""
        try:
            for item in self._items():
                if not item.too_long:
                    yield item.record()
        except LoaderError:
            return

    def _items(self) -> Generator[_Item]:
        found = _Items(self.path)
        encoding = "utf-8" if self._file.encoding else None  # converted text is UTF-8, whatever the file declares
        parser = XMLParser(target=found, encoding=encoding, forbid_dtd=True)
        found.expat = parser.parser
        quiet = 0
        try:
            with self._file.opened() as opened:
                while piece := opened.read(PIECE):
                    found.active = False
                    parser.feed(piece)
                    yield from found.whole
                    found.whole.clear()
                    quiet = 0 if found.active else quiet + len(piece)
                    if quiet > 2 * MAX_RECORD:  # the parser keeps a tag in memory until the tag ends
                        line = found.expat.CurrentLineNumber
                        raise SourceDamaged(f"{self.path.name}: a tag or comment before line {line} is {TOO_LONG}")
                parser.close()
                yield from found.whole
        except ParseError as error:
            yield from found.whole  # the items of this piece that end before the error
            line, column = error.position
            raise SourceDamaged(
                f"{self.path.name} is not well-formed XML at line {line}, position {column + 1}: "
                f"{str(error).partition(':')[0]}",
                hint="The rest of the file cannot be read. Is the file complete, and is each & written as &amp;?",
            ) from error
        except DTDForbidden:
            raise NotACatalog(
                f"{self.path.name} has a document type, which can define entities; feeds have no document type",
                hint="Remove the <!DOCTYPE ...>.",
            ) from None
        except DefusedXmlException as error:
            raise NotACatalog(f"{self.path.name} defines XML entities, which feeds do not: {error}") from None
        except (LookupError, ValueError) as error:  # the parser's errors for an unknown encoding
            raise NotACatalog(
                f"{self.path.name} is in an encoding that cannot be read: {error}", hint="Save it as UTF-8."
            ) from error


def _element(tag: str, attributes: Mapping[str, str]) -> _Element:
    """Returns a new element. The text of an Atom link is the address in its attribute href. If the relation of a link
    is not "alternate", the name of the element ends with the relation, as in link_enclosure."""
    relation = attributes.get("rel", "alternate")
    name = tag if relation == "alternate" else f"{tag}_{relation}"
    if not attributes:
        return _Element(name)
    others = {
        key: text for key, text in attributes.items() if text and key not in OF_A_LINK and not key.startswith("{")
    }
    return _Element(name, [attributes["href"]] if "href" in attributes else [], others)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _rank(tag: str, item: _Item) -> dict[str, Any]:
    namespace = tag[1:].rpartition("}")[0]
    plain = not namespace or namespace.startswith(("http://www.w3.org/2005/Atom", "http://purl.org/rss/1.0"))
    return item.values[0 if namespace in GOOGLE else 1 if plain else 2]


def _put(members: dict[str, Any], name: str, value: Any) -> None:
    """Adds a value that is not empty. The values of a repeated name become a list."""
    if value in ("", {}):
        return
    if name not in members:
        members[name] = value
    elif isinstance(members[name], list):
        members[name].append(value)
    else:
        members[name] = [members[name], value]
