"""Which format a file is in, by its first bytes."""

from enum import StrEnum
from typing import Any

from loader.errors import NotACatalog
from loader.sources.merchant import is_merchant
from loader.sources.reading.catalog_file import HEAD_BYTES, CatalogFile
from loader.sources.reading.json_text import parse
from loader.sources.reading.lines import BOM
from loader.sources.reading.table import Table
from loader.sources.shopee import is_shopee
from loader.sources.shopify import is_shopify


class Format(StrEnum):
    DELIMITED = "delimited"
    MERCHANT = "merchant"
    SHOPIFY = "shopify"
    SHOPEE = "shopee"
    JSONLD = "jsonld"
    JSONL = "jsonl"
    PARQUET = "parquet"
    FOLDER = "folder"


def sniff(file: CatalogFile) -> Format:
    """Raises NotACatalog or NothingToLoad for what is none of them."""
    head = beginning(file)
    if head.startswith(b"PAR1"):
        return Format.PARQUET
    if head.startswith(b"<"):
        return Format.MERCHANT
    if head.startswith((b"{", b"[")):
        return _json(file, head)
    header = Table(file).header
    for kind, fits in ((Format.SHOPEE, is_shopee), (Format.SHOPIFY, is_shopify), (Format.MERCHANT, is_merchant)):
        if fits(header):
            return kind
    return Format.DELIMITED


def beginning(file: CatalogFile) -> bytes:
    return file.head.removeprefix(BOM).lstrip()


def is_by_line(file: CatalogFile) -> bool:
    """Whether JSON is a document a line, rather than one document."""
    first, *others = [line.rstrip() for line in beginning(file).splitlines() if line.strip()] or [b""]
    if others:  # a first line that is broken must not make another format of the file
        return others[0].lstrip().startswith((b"{", b"[")) and not first.endswith((b",", b":", b"[", b"{"))
    return len(file.head) == HEAD_BYTES and not {".jsonl", ".ndjson"}.isdisjoint(file.path.suffixes)


def _json(file: CatalogFile, head: bytes) -> Format:
    if b'"@type"' in head or b'"@graph"' in head:
        return Format.JSONLD
    first = _parsed(head.partition(b"\n")[0])
    if not is_by_line(file) and not isinstance(first, dict):
        raise NotACatalog(
            f"{file.path.name} is one JSON document, but not of schema.org products",
            hint="Write each product as one object {...} on a line (jq -c '.[]' FILE > FILE.jsonl).",
        )
    return Format.MERCHANT if isinstance(first, dict) and is_merchant(list(first)) else Format.JSONL


def _parsed(line: bytes) -> Any:
    try:
        return parse(line.decode())
    except ValueError:
        return None
