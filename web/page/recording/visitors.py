"""Decides which requests count as those of a visitor, and names the visitor without a cookie.

The name is a hash of the client's address and browser with a salt. The salt is random, and is deleted after its day.
From then on, nobody can tell to which address a name belongs, nor which names of different days belong to the same
visitor. The requests of an address, or of an IPv6 network, count as those of at most MOST_NAMES visitors of a day,
however many browsers they name. A query becomes a suggestion only after more visitors than that, so one address alone
cannot make its query a suggestion.
"""

import hmac
import re
from hashlib import sha256
from ipaddress import ip_address, ip_network

from litestar.types import Scope

from db.functions.suggestion_constants import SUGGESTION_VISITORS
from db.search.events import DailySalt
from web.http.context import context_of

MOST_NAMES = SUGGESTION_VISITORS - 1
_CRAWLER = re.compile(
    r"(?<!cu)bot|crawl|spider|slurp|preview|fetch|scan|monitor|headless|lighthouse|curl|wget|python|java/|http", re.I
)
_IPV6_PREFIX = 56  # a household usually has a network of this size, or a smaller one
_ID = re.compile(r"[0-9a-f]{32}")


def counts(scope: Scope) -> bool:
    """Returns whether a visitor began the request on this page. A crawler, a prefetch and a link of another site do not
    count. A request with Do Not Track or Global Privacy Control does not count either."""
    headers: dict[bytes, str] = {name: value.decode("latin-1") for name, value in scope["headers"]}
    if context_of(scope).is_head or "1" in (headers.get(b"dnt"), headers.get(b"sec-gpc")):
        return False
    if any("pre" in headers.get(name, "") for name in (b"sec-purpose", b"purpose", b"x-moz")):
        return False
    browser = headers.get(b"user-agent", "")
    if not browser or _CRAWLER.search(browser):
        return False
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    # Over http, a browser does not send Sec-Fetch-Site, except to its own machine. Without this header, the Referer
    # tells whether this page began the request, because the page's Referrer-Policy lets the browser send the address of
    # the page.
    host = headers.get(b"host", "")
    return headers.get(b"referer", "").startswith((f"http://{host}/", f"https://{host}/"))


def name_of(scope: Scope, salt: DailySalt) -> str:
    """Returns the name of the visitor on this day, such as `page 2026-11-30 5f0c...`."""
    browser = next((value for name, value in scope["headers"] if name == b"user-agent"), b"")
    nth = _hash(salt, "browser", browser.decode("latin-1"))[0] % MOST_NAMES
    return f"page {salt.day} {_hash(salt, 'visitor', _network(scope), str(nth))[:16].hex()}"


def search_id(salt: DailySalt, visitor: str, catalog: str, *asked: str) -> str:
    """Returns the id of a search. If the visitor repeats the search on this day, the id is the same. An id for this
    visitor and catalog cannot be made without the salt."""
    half = _hash(salt, "search", visitor, catalog, *asked)[:8]
    return (half + _signature(salt, half, visitor, catalog)).hex()


def is_search_id(given: str, salt: DailySalt, visitor: str, catalog: str) -> bool:
    if not _ID.fullmatch(given):
        return False
    whole = bytes.fromhex(given)
    return hmac.compare_digest(whole[8:], _signature(salt, whole[:8], visitor, catalog))


def _signature(salt: DailySalt, half: bytes, visitor: str, catalog: str) -> bytes:
    return _hash(salt, "signature", half.hex(), visitor, catalog)[:8]


def _hash(salt: DailySalt, *parts: str) -> bytes:
    return hmac.digest(salt.salt, "\0".join(parts).encode("utf-8", "replace"), sha256)


def _network(scope: Scope) -> str:
    host = (scope["client"] or ("unknown",))[0]
    try:
        address = ip_address(host)
    except ValueError:
        return host
    mapped = getattr(address, "ipv4_mapped", None)
    if address.version == 4 or mapped:
        return str(mapped or address)
    return str(ip_network((address, _IPV6_PREFIX), strict=False))
