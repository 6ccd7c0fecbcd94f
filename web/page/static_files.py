"""Serves the files of the page and of the shop's theme, which are read once. The address of a file contains a hash of
its content, so browsers may cache the file for a year."""

from importlib.resources import files
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import PathParameter

from web.http.addresses import address
from web.http.compression import UNCOMPRESSED
from web.http.problems import ApiError
from web.page.brand import visit
from web.page.brand.served_files import File, read_files

FILES = read_files(files("web.page").joinpath("static").iterdir())


def asset(name: str) -> str:
    """Returns the address of a file. A file of the theme replaces a file of the page. Raises KeyError if neither the
    theme nor the page has a file of this name."""
    file = _file(name)
    if file is None:
        raise KeyError(f"there is no file {name}")
    return address(f"/static/{file.tag}/{name}")


def _file(name: str) -> File | None:
    return visit.theme().files.get(name) or FILES.get(name)


@get("/static/{tag:str}/{name:str}", include_in_schema=False, opt={UNCOMPRESSED: True})  # compressed already
async def static_file(
    request: Request[Any, Any, Any], tag: Annotated[str, PathParameter()], name: Annotated[str, PathParameter()]
) -> Response[bytes]:
    file = _file(name)
    if file is None:
        raise ApiError("not-found")
    # During an upgrade, a page of an old process may request a file from a new process. The new process sends its own
    # version of the file, which browsers must not cache under the address of the old version.
    caching = "public, max-age=31536000, immutable" if tag == file.tag else "no-store"
    headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
    if file.media_type == "image/svg+xml":  # as a page of its own, an SVG could run scripts
        headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.gzipped, media_type=file.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(file.content, media_type=file.media_type, headers=headers)
