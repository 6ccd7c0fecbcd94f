"""Names the version of a rule by an ETag, and reads from If-Match the version that a client wants to change.

The ETag is the time of the last save, in microseconds and hexadecimal. By RFC 9110, If-Match matches no weak ETag.
This service lets it match weak ETags too, because nginx makes each ETag weak when it compresses an answer.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from litestar.datastructures import ResponseHeader
from litestar.params import HeaderParameter

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TAG = re.compile(r'"([0-9a-f]{1,13})"')  # 13 digits reach the year 2112, and datetime can hold their largest number

IfMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-Match",
        max_length=1000,
        pattern=r'^(\*|(W/)?"[!#-~]*"( ?, ?(W/)?"[!#-~]*")*)$',
        description="The ETag of the version that the client has read. If somebody has saved the rule since then, the "
        "answer is 412 and nothing changes. Without this header, the last write wins.",
    ),
]
IfNoneMatch = Annotated[
    str | None,
    HeaderParameter(
        name="If-None-Match",
        max_length=1000,
        description="`*`, or the ETags of versions that must not be replaced. PUT never creates a rule, so with `*` it "
        "replaces nothing, and the answer for an existing rule is 412.",
    ),
]
ETAG = [ResponseHeader(name="ETag", documentation_only=True, description="The version of the rule, for If-Match.")]


def tag_of(saved_at: datetime) -> str:
    """Returns the ETag of the version that was saved at this time."""
    return f'"{(saved_at - _EPOCH) // timedelta(microseconds=1):x}"'


def is_named(if_none_match: str | None, saved_at: datetime) -> bool:
    """Returns whether If-None-Match names the version that was saved at this time. `*` names every version."""
    given = if_none_match or ""
    return given.strip() == "*" or tag_of(saved_at) in given


def versions(if_match: str | None) -> list[datetime] | None:
    """Returns the times of the versions that If-Match allows. Returns None if it allows every version."""
    if if_match is None or if_match.strip() == "*":
        return None
    return [_EPOCH + timedelta(microseconds=int(found, 16)) for found in _TAG.findall(if_match)]
