"""Serves robots.txt and the sitemap, which lead search engines to the start page and to the products."""

from typing import Annotated, Any
from xml.sax.saxutils import escape

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import PathParameter
from sqlalchemy import Connection

from db.catalog import parts as product_parts
from web.http.addresses import address
from web.http.problems import ApiError
from web.page.brand import language_links, visit
from web.page.cards import product_address
from web.page.products.hidden import Hidden

PART = 1_000  # approximate number of products of a part; a part has at most four times as many
MAX_PARTS = 50_000  # the protocol of sitemaps allows no more parts
_HEADERS = {"Cache-Control": "public, max-age=3600"}
_XMLNS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:xhtml="http://www.w3.org/1999/xhtml"'


@get("/robots.txt", include_in_schema=False, sync_to_thread=False)
def robots() -> Response[str]:
    """Return the robots.txt of the theme, or else the page's own, which lets search engines visit the start page and
    the products, but no results of searches."""
    rules = visit.theme().robots
    if rules is None:
        open_to_all = (
            f"{address('/')}$",
            *(f"{address('/')}?lang={language}$" for language in visit.site().languages),
            *(address(path) for path in ("/product?", "/static/", "/images/", "/sitemap")),
        )
        allowed = "".join(f"Allow: {each}\n" for each in open_to_all)
        sitemap = visit.absolute(address("/sitemap.xml"))
        rules = f"User-agent: *\n{allowed}Disallow: {address('/')}\n\nSitemap: {sitemap}\n"
    return Response(rules, media_type="text/plain", headers=_HEADERS)


@get("/sitemap.xml", include_in_schema=False)
async def sitemap(request: Request[Any, Any, Any], state: State) -> Response[str]:
    """Return the addresses of all parts of the sitemap."""
    products = await state.pools.read(request, product_parts.approximate_count)
    parts = min(MAX_PARTS, max(1, -(-products // PART)))
    locations = (visit.absolute(address(f"/sitemap/{parts}/{part}")) for part in range(parts))
    return _xml(
        "sitemapindex", "".join(f"<sitemap><loc>{escape(location)}</loc></sitemap>\n" for location in locations)
    )


@get("/sitemap/{parts:int}/{part:int}", include_in_schema=False)
async def sitemap_part(
    request: Request[Any, Any, Any],
    state: State,
    parts: Annotated[int, PathParameter(ge=1, le=MAX_PARTS)],
    part: Annotated[int, PathParameter(ge=0, lt=MAX_PARTS)],
) -> Response[str]:
    """Return the addresses of those products of one part that visitors may see. The first part also has the address of
    the start page."""
    if part >= parts:
        raise ApiError("not-found", f"The parts are numbered from 0 to {parts - 1:,}.")
    hidden: Hidden = state.page_caches.hidden

    def read(conn: Connection) -> str:
        rows = hidden.leave_out(conn, product_parts.part(conn, part, parts, state.public_catalogs, 4 * PART))
        urls = (_url(product_address(row.sku, row.catalog), f"{row.updated_at:%Y-%m-%d}") for row in rows)
        return "".join(urls)

    start = "" if part else _url(address("/"), "")
    return _xml("urlset", start + await state.pools.read(request, read))


def _url(path: str, changed: str) -> str:
    """Returns the entry of a page, with its addresses in each language."""
    others = "".join(
        f'<xhtml:link rel="alternate" hreflang="{code}" href="{escape(location)}"/>'
        for code, location in language_links.alternates(path)
    )
    lastmod = f"<lastmod>{changed}</lastmod>" if changed else ""
    return f"<url><loc>{escape(visit.absolute(path))}</loc>{lastmod}{others}</url>\n"


def _xml(kind: str, content: str) -> Response[str]:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n<{kind} {_XMLNS}>\n{content}</{kind}>\n'
    return Response(body, media_type="application/xml", headers=_HEADERS)


ROUTES = (robots, sitemap, sitemap_part)
