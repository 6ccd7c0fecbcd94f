"""Serves the page's own files, which are read once. The address of a file contains a hash of its content, so browsers
may cache the file for a year."""

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated, Any

from litestar import Request, Response, get
from litestar.params import PathParameter

from web.http.addresses import address
from web.http.compression import UNCOMPRESSED
from web.http.problems import ApiError

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class File:
    content: bytes
    gzipped: bytes
    media_type: str
    tag: str


def _read() -> dict[str, File]:
    found = {}
    for entry in files("web.page").joinpath("static").iterdir():
        kind = TYPES.get(entry.name.rpartition(".")[2])
        if kind is not None:
            content = entry.read_bytes()
            tag = hashlib.sha256(content).hexdigest()[:12]
            found[entry.name] = File(content, gzip.compress(content, mtime=0), kind, tag)
    return found


FILES = _read()


def asset(name: str) -> str:
    """Returns the address of a file."""
    return address(f"/static/{FILES[name].tag}/{name}")


@get("/static/{tag:str}/{name:str}", include_in_schema=False, opt={UNCOMPRESSED: True})  # compressed already
async def static_file(
    request: Request[Any, Any, Any], tag: Annotated[str, PathParameter()], name: Annotated[str, PathParameter()]
) -> Response[bytes]:
    file = FILES.get(name)
    if file is None:
        raise ApiError("not-found")
    # During an upgrade, a page of an old process may request a file from a new process. The new process sends its own
    # version of the file, which browsers must not cache under the address of the old version.
    caching = "public, max-age=31536000, immutable" if tag == file.tag else "no-store"
    headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(file.gzipped, media_type=file.media_type, headers=headers | {"Content-Encoding": "gzip"})
    return Response(file.content, media_type=file.media_type, headers=headers)
