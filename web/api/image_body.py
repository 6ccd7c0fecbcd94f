"""Describes the bodies of the image searches, which the handlers decode themselves."""

from dataclasses import dataclass

from litestar.openapi.spec import OpenAPIMediaType, Operation, Reference, RequestBody


def _body(media_type: str, schema: str) -> RequestBody:
    return RequestBody(
        required=True,
        content={media_type: OpenAPIMediaType(schema=Reference(ref=f"#/components/schemas/{schema}"))},
    )


@dataclass
class ImageAsJson(Operation):
    def __post_init__(self) -> None:
        self.request_body = _body("application/json", "ImageSearch")


@dataclass
class ImageAsForm(Operation):
    def __post_init__(self) -> None:
        self.request_body = _body("multipart/form-data", "ImageForm")
