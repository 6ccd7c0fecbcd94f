"""JSON bodies, decoded once and strictly: "5" is no number. (Litestar by itself would take it for one.)"""

from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile

from web.http.problems import ApiError

T = TypeVar("T")


class StrictRequest(Request[Any, Any, Any]):
    async def json(self) -> Any:
        """The body as the handler's `data` is declared."""
        if self.content_type[0] != "application/json":  # which pages of other origins cannot send unasked
            raise ApiError("media-type", "Send application/json.")
        declared = self.route_handler.parsed_data_field
        return decoded(await self.body(), object if declared is None else declared.annotation)


def decoded(body: bytes, kind: type[T], *, what: str | None = None) -> T:
    """Raises ApiError: a body that is no JSON cannot be read; a part or parameter of that name is wrong."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise ApiError("invalid", str(error)) from None
    except (ValueError, RecursionError) as error:  # msgspec's own and UnicodeDecodeError are ValueErrors
        if what is not None:
            raise ApiError("invalid", f"{what} is not JSON that can be read.") from error
        raise ApiError("malformed", "The body is not JSON that can be read.") from error


async def form_as(request: Request[Any, Any, Any], kind: type[T], *, file: str, json: tuple[str, ...]) -> T:
    """A multipart form: the part `file` is a file's bytes, those in `json` are JSON, all others plain values."""
    values: dict[str, Any] = {}
    for name, value in (await request.form()).multi_items():
        if name in values:
            raise ApiError("invalid", f"There are two parts named {name[:40]}.")
        if isinstance(value, UploadFile):
            content = await value.read()
        else:
            content = value.encode("utf-8", "replace") if isinstance(value, str) else b""
        if name == file:
            values[name] = content
        elif name in json:
            values[name] = decoded(content, object, what=name)
        else:
            values[name] = content.decode("utf-8", "replace")
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ApiError("invalid", str(error)) from None
