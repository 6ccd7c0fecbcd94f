"""Defines the names of the formats. This module imports no reader, so that the command line shows its help quickly.

loader/sources/registry.py has the functions that recognise and open each format.
"""

from enum import StrEnum


class Format(StrEnum):
    DELIMITED = "delimited"
    MERCHANT = "merchant"
    SHOPIFY = "shopify"
    WOOCOMMERCE = "woocommerce"
    MAGENTO = "magento"
    PRESTASHOP = "prestashop"
    MEDUSA = "medusa"
    BIGCOMMERCE = "bigcommerce"
    ETSY = "etsy"
    META = "meta"
    SHOPEE = "shopee"
    JSONLD = "jsonld"
    JSONL = "jsonl"
    JSON = "json"
    PARQUET = "parquet"
    FOLDER = "folder"
