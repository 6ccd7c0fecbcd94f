"""Fetches the image at an address that a client sends as a query."""

from socket import gaierror

from db.fetching.fetcher import Fetcher
from db.fetching.limits import FetchLimits
from db.functions.constants import MAX_IMAGE_BYTES
from db.images.errors import AddressForbidden, ImageRejected
from web.http.limiter import ConcurrencyLimiter
from web.http.problems import ApiError
from web.settings import WebSettings

FETCHES, WAITING = 4, 16  # images that are fetched at the same time, and further requests that may wait
SECONDS = 5.0  # time limit of a fetch; if half the time limit of a request is shorter, this half is the limit
_NOT_PUBLIC = (
    "the host is unknown, or leads to an address that is not public; "
    "WINDOWSHOP_WEB_FETCH_HOSTS or WINDOWSHOP_WEB_FETCH_NETWORKS can allow it"
)


class QueryImages:
    """Only public addresses are fetched, and those that the settings `WINDOWSHOP_WEB_FETCH_...` list."""

    def __init__(self, settings: WebSettings) -> None:
        self._limits = FetchLimits(
            max_bytes=MAX_IMAGE_BYTES,
            seconds=min(SECONDS, settings.deadline_ms / 2000),
            attempts=1,
            connections=FETCHES,
            networks=settings.fetch_networks,
            hosts=settings.fetch_hosts,
            ports=settings.fetch_ports,
            settings="WINDOWSHOP_WEB_FETCH",
        )
        self._limiter = ConcurrencyLimiter(FETCHES, WAITING)
        self._fetcher: Fetcher | None = None  # made for the first image, because most services fetch none

    async def read(self, url: str) -> bytes:
        """Returns the content of the address. Raises ApiError if it cannot be fetched, or if too many requests wait."""
        if self._fetcher is None:
            self._fetcher = Fetcher(self._limits)
        scheme, mark, rest = url.partition("://")
        try:
            return await self._limiter.in_thread(self._fetcher.read, scheme.lower() + mark + rest)
        except ImageRejected as error:
            reason = _NOT_PUBLIC if _tells_host(error) else error.message[:500]
            raise ApiError("invalid", f"image_url cannot be fetched: {reason}.") from None

    def close(self) -> None:
        if self._fetcher is not None:
            self._fetcher.close()


def _tells_host(error: BaseException | None) -> bool:
    """Returns whether the cause of the error is an unknown host name or a forbidden address.

    Such an error would tell a client which names the network of the service knows.
    """
    while error is not None and not isinstance(error, AddressForbidden | gaierror):
        error = error.__cause__ or error.__context__  # httpcore2 raises some errors `from None`
    return error is not None
