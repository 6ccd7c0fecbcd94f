"""Decodes JSON bodies strictly, because Litestar's own decoding would accept the text "5" as a number. Also decodes
multipart forms."""

import asyncio
import re
from codecs import BOM_UTF8
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Any, TypeVar

import msgspec
from litestar import Request
from litestar.datastructures import UploadFile
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from msgspec.inspect import ListType, LiteralType, Metadata, StructType, Type, UnionType

from db.strict_json import parse
from web.http.arriving import Arriving, check_encoding
from web.http.context import context_of
from web.http.problems import ApiError

T = TypeVar("T")
Struct = TypeVar("Struct", bound=msgspec.Struct)
MERGE_PATCH = "application/merge-patch+json"
_MERGE_PATCHES = ("application/json", MERGE_PATCH)
_STEP = re.compile(r"\.([^.\[\]`]+)|\[[^\]]*\]")  # a step of a path in a message of msgspec, such as `$.fields[0]`
_LONE_SURROGATE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F]"
)
_LARGE = 100_000  # bytes; larger JSON is decoded in a thread, because decoding this many bytes can take 50 ms
_BOOLEANS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


class StrictRequest(Request[Any, Any, Any]):
    async def stream(self) -> AsyncGenerator[bytes]:
        """Yields the parts of the body. Raises ApiError for a body that is compressed, too large or too slow."""
        check_encoding(self.scope)
        receive = self.receive
        self.receive = Arriving(receive, context_of(self.scope), self.app.state.settings)
        try:
            async for part in super().stream():
                yield part
        except RequestEntityTooLarge:
            most = self.app.state.settings.max_body_bytes
            hint = "Send less in one request, or raise WINDOWSHOP_WEB_MAX_BODY_BYTES."
            raise ApiError("too-large", f"The body has more than {most:,} bytes.", hint=hint) from None
        finally:
            self.receive = receive

    async def json(self) -> Any:
        """Returns the body, decoded as the type that the handler declares for `data`."""
        # The service takes only media types that pages of other origins cannot send without CORS permission.
        taken = _MERGE_PATCHES if self.method == "PATCH" else ("application/json",)
        if self.content_type[0] not in taken:
            raise ApiError("media-type", f"Send {' or '.join(taken)}.")
        declared = self.route_handler.parsed_data_field
        return await decoded_aside(await self.body(), object if declared is None else declared.annotation)


async def decoded_aside(content: bytes, kind: type[T], *, name: str | None = None) -> T:
    """Do what `decoded` does, in a thread if the JSON is large, so that other requests are answered meanwhile."""
    if len(content) > _LARGE:
        return await asyncio.to_thread(decoded, content, kind, name=name)
    return decoded(content, kind, name=name)


def decoded(content: bytes, kind: type[T], *, name: str | None = None) -> T:
    """Decode JSON. `name` is the form part or the parameter that holds the JSON, or None for the body. Raises ApiError
    for a text that is not JSON or does not fit `kind`, and for one with a NUL character. Also raises ApiError for an
    object that gives a name twice, because two programs may understand such an object differently."""
    try:
        found = msgspec.json.decode(content, type=kind)
    except msgspec.ValidationError as error:
        raise ApiError("invalid", str(error), hint=hint_of(error, kind)) from None
    except (ValueError, RecursionError) as error:  # msgspec.DecodeError and UnicodeDecodeError are ValueErrors
        detail = f"{name or 'The body'} is not valid JSON: {_fault(content, error)}."
        raise ApiError("malformed" if name is None else "invalid", detail) from error
    try:
        parse(content.decode())
    except ValueError as error:
        raise ApiError("invalid", f"{name or 'The body'} is not accepted: {error}.") from None
    if b"\\u0000" in content and (path := _path_of_nul(found, name or "")):
        raise ApiError("invalid", f"{path} has a NUL character, which no text may have.")
    return found


def _fault(content: bytes, error: Exception) -> str:
    """Returns why a text is not JSON, with the position of the fault. `error` is the error of msgspec."""
    if content.startswith(BOM_UTF8):
        return "it begins with a byte order mark"
    try:
        text = content.decode()
        parse(text)
    except UnicodeDecodeError as wrong:
        return f"byte {wrong.start + 1} is not UTF-8"
    except ValueError as wrong:
        return str(wrong).removeprefix("not JSON").removeprefix(" that can be read").removeprefix(": ")
    if found := _LONE_SURROGATE.search(text):
        return f"a surrogate has no pair at position {found.start() + 1}"
    return str(error).removeprefix("JSON is malformed: ")


def hint_of(error: msgspec.ValidationError, kind: Any) -> str:
    """Returns what helps a client whose body cannot be read as `kind`, or an empty text."""
    message = str(error)
    if message.startswith("Invalid enum value"):
        return f"The values are {', '.join(_values(kind, message.rpartition(' - at ')[2]))}."
    if message.startswith("Invalid base64"):
        return "Write the bytes in base64 alone, without a prefix such as data:image/png;base64."
    if message.endswith("`$.image_url`"):
        return "An address begins with http:// or https://. Send an image itself as image, in base64."
    return ""


def _values(kind: Any, path: str) -> list[str]:
    """Returns the values that are allowed at a path of a `kind`."""
    types = [msgspec.inspect.type_info(kind)]
    for step in _STEP.finditer(path):
        types = [member for each in _options(types) for member in _members(each, step[1])]
    return [str(value) for each in _options(types) if isinstance(each, LiteralType) for value in each.values]


def _options(types: Iterable[Type]) -> Iterator[Type]:
    """Yields the types without their metadata, and each type of a union."""
    for each in types:
        if isinstance(each, Metadata):
            yield from _options([each.type])
        elif isinstance(each, UnionType):
            yield from _options(each.types)
        else:
            yield each


def _members(kind: Type, name: str | None) -> list[Type]:
    """Returns the type of a field, or of the items of a list if `name` is None."""
    if isinstance(kind, StructType):
        return [field.type for field in kind.fields if field.encode_name == name]
    if isinstance(kind, ListType) and name is None:
        return [kind.item_type]
    return []


def _path_of_nul(value: Any, path: str) -> str | None:
    """Returns the place of a NUL character, or None if there is none. The place is the path of a text, such as
    `inputs[0].text`, or the object in which a name has the NUL. The items of a batch (msgspec.Raw) are left out,
    because each of them is checked by itself later."""
    if isinstance(value, str):
        return path or "The body" if "\0" in value else None
    if isinstance(value, msgspec.Struct):
        value = {name: getattr(value, name) for name in value.__struct_fields__}
    if isinstance(value, dict):
        if any("\0" in name for name in value):
            return f"A name in {path or 'the body'}"
        members = ((f"{path}.{name}".removeprefix("."), member) for name, member in value.items())
    elif isinstance(value, list | tuple):
        members = ((f"{path}[{number}]", member) for number, member in enumerate(value))
    else:
        return None
    return next((found for at, member in members if (found := _path_of_nul(member, at))), None)


async def form_as(request: Request[Any, Any, Any], kind: type[Struct], *, file: str, json: tuple[str, ...]) -> Struct:
    """Decode a multipart form as the struct `kind`. The part `file` holds bytes, the parts in `json` hold JSON, and
    other parts hold plain text. A boolean may have each spelling in _BOOLEANS. Raises ApiError for a faulty form."""
    values: dict[str, Any] = {}
    booleans = {field.name for field in msgspec.structs.fields(kind) if field.type is bool or field.default is False}
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
            values[name] = await decoded_aside(content, object, name=name)
        else:
            text = content.decode("utf-8", "replace")
            values[name] = _BOOLEANS.get(text.strip().lower(), text) if name in booleans else text
    try:
        found = msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise ApiError("invalid", str(error), hint=hint_of(error, kind)) from None
    # The conversion reads the text "null" as null, as JSON does. A form has no null: an absent part has the default.
    for name in values:
        if getattr(found, name) is None:
            raise ApiError("invalid", f"{name} is null. Leave the part out.")
    return found
