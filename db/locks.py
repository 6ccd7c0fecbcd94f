"""The keys of PostgreSQL's advisory locks. A SQL file names one as `@lock_encoder_alive@`."""

from enum import IntEnum


class Lock(IntEnum):
    ENCODER_ALIVE = 740_000  # with a model id, shared: an encoder for that model is connected
    REQUEST_CLAIMED = 740_001  # with a request id: an encoder works on that request
    UPGRADE = 740_100  # one session runs migrations
    COMMON_WORDS = 740_101  # one session refreshes shop.common_word
    INDEX_BUILD = 740_200  # one session builds the deferred indexes
