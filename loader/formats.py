"""The names of the formats. They import nothing, because the command line lists them in its help.

How each is recognised and opened stands in loader/sources/registry.py.
"""

from enum import StrEnum


class Format(StrEnum):
    DELIMITED = "delimited"
    MERCHANT = "merchant"
    SHOPIFY = "shopify"
    SHOPEE = "shopee"
    JSONLD = "jsonld"
    JSONL = "jsonl"
    PARQUET = "parquet"
    FOLDER = "folder"
