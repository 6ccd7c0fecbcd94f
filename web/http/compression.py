"""Compresses answers with gzip.

The attack BREACH finds a secret in a compressed body by the body's size, if the body also repeats text that the
attacker sends. No answer of this service has a secret in its body: clients send API keys, and get none, and no page has
a form with a token.
"""

import re

from litestar.config.compression import CompressionConfig
from litestar.middleware.compression import CompressionMiddleware
from litestar.types import Receive, Scope, Send

UNCOMPRESSED = "uncompressed"  # in the `opt` of routes whose answers are compressed already, such as images
LEVEL = 6
MINIMUM_BYTES = 500  # a smaller answer fits one packet of the network in any case
_REFUSES_GZIP = re.compile(rb"\bgzip\s*;\s*q\s*=\s*0(\.0*)?\s*(,|$)", re.IGNORECASE)


class Gzip(CompressionMiddleware):
    """Litestar's middleware, except that a client that refuses gzip by `q=0` in Accept-Encoding gets no gzip."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        given = b",".join(value for name, value in scope["headers"] if name == b"accept-encoding")
        if _REFUSES_GZIP.search(given):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


CONFIG = CompressionConfig(
    backend="gzip",
    gzip_compress_level=LEVEL,
    minimum_size=MINIMUM_BYTES,
    middleware_class=Gzip,
    exclude_opt_key=UNCOMPRESSED,
)
