"""Defines the keys of PostgreSQL's advisory locks. A SQL file refers to a key by a word like `@lock_encoder_alive@`."""

from enum import IntEnum


class Lock(IntEnum):
    ENCODER_ALIVE = 740_000  # a connected encoder holds a shared lock on this key and a model id
    REQUEST_CLAIMED = 740_001  # an encoder holds a lock on this key and the id of the request that it works on
    UPGRADE = 740_100  # held by the only session that runs migrations
    COMMON_WORDS = 740_101  # held by the only session that refreshes shop.common_word
    INDEX_BUILD = 740_200  # held by the only session that builds the deferred indexes
