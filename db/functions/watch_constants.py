"""Defines the constants of watches, the searches whose new matches are reported (docs/watches.md)."""

from db.functions.constant import Constant

MAX_WATCHES = 1_000
MAX_WATCH_IMAGE_BYTES = 2**20
MAX_WATCH_FILTER_BYTES = 16_384
MAX_WATCH_MATCHES = 10_000

WATCHES = (
    Constant("max_watches", MAX_WATCHES, "watches", "largest number of watches of a catalog"),
    Constant("max_watch_image_bytes", MAX_WATCH_IMAGE_BYTES, "bytes", "size of the largest image of a watch: 1 MB"),
    Constant("max_watch_filter_bytes", MAX_WATCH_FILTER_BYTES, "bytes", "longest filter of a watch: 16 KB"),
    Constant(
        "max_watch_matches", MAX_WATCH_MATCHES, "products", "a watch with more matches is disabled: it is too broad"
    ),
    Constant("watch_deviations", 3, "deviations", "by chance, one product in 700 is this far above the mean"),
    Constant("watch_requests", 100, "requests", "no vector of a watch is requested while this many requests wait"),
    Constant(
        "watch_renew_ms",
        100,
        "ms",
        "time to disable and encode watches in a call of watch_renew; meanwhile queries wait",
    ),
    Constant(
        "watch_renew_products", 256, "products", "most products that a call of watch_renew compares; takes about 100 ms"
    ),
)
