"""Defines the keys of PostgreSQL's advisory locks. A SQL file refers to a key by a word like `@lock_encoder_alive@`."""

from enum import IntEnum


class Lock(IntEnum):
    ENCODER_ALIVE = 740_000  # an encoder holds this key and a model id, shared, while it is connected
    REQUEST_CLAIMED = 740_001  # an encoder holds this key and a request id while it works on the request
    UPGRADE = 740_100  # held by the only session that runs migrations
    COMMON_WORDS = 740_101  # held by the only session that refreshes shop.common_word
    INDEX_BUILD = 740_200  # held by the only session that builds the deferred indexes
