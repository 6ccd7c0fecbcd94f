"""The keys of PostgreSQL's advisory locks. A SQL file names one as `@lock_encoder_alive@`."""

from enum import IntEnum


class Lock(IntEnum):
    ENCODER_ALIVE = 740_000  # with the id of a model: an encoder for that model is connected (shared)
    REQUEST_CLAIMED = 740_001  # with the id of a request: an encoder works on it
    UPGRADE = 740_100  # one migration at a time
    COMMON_WORDS = 740_101  # one session refreshes shop.common_word
    INDEX_BUILD = 740_200  # one session builds the deferred indexes
