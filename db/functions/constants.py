"""The named numbers of the SQL functions. A SQL file names one as `@max_results@`.

Each stands once, with its unit and how it was chosen. Python imports the limits that it checks as well.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from db.locks import Lock

MAX_RESULTS = 1000
MAX_IMAGE_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Constant:
    name: str
    value: float
    unit: str
    reason: str


LIMITS = (
    Constant("max_results", MAX_RESULTS, "products", "largest k, and the window that pages are cut from"),
    Constant("max_image_bytes", MAX_IMAGE_BYTES, "bytes", "largest image of a query: 10 MB"),
)

BROWSING = (
    Constant("max_facet_fields", 20, "fields", "a search page shows fewer"),
    Constant("max_facet_values", 1000, "values", "largest limit_values"),
    Constant("max_facet_buckets", 100, "ranges", "largest number of ranges of a number"),
    Constant("facets_exact_products", 100_000, "products", "more matches than this are counted in a sample"),
    Constant(
        "facets_sample_products",
        20_000,
        "products",
        "rows read by the sample that is scaled up",
    ),
)

QUERIES = (
    Constant("gateway_max_requests", 1000, "requests", "more waiting requests than this are refused with WS004"),
)

CALIBRATION = (
    Constant("calibration_time_quantile", 0.25, "quantile", "lower quartile: other load on the machine is no cost"),
    Constant("calibration_confidence", 1.645, "standard errors", "one-sided 95 % bound of the normal distribution"),
    Constant("calibration_few_products", 500, "products", "lower end of the slope of the exact route"),
    Constant("calibration_many_products", 2500, "products", "upper end of the slope of the exact route"),
    Constant("calibration_index_products", 2000, "products", "below this every search compares all that match"),
)

TAGS = (Constant("max_zero_shot_comparisons", 5_000_000, "comparisons", "products times labels of one shop.zero_shot"),)

MATCHES = (
    Constant("match_exact_products", 2000, "products", "up to this many are compared one by one"),
    Constant("match_scan_tuples", 2000, "vectors", "hnsw.max_scan_tuples for one product"),
    Constant("match_shared_images", 50, "products", "an image that more products show is a placeholder"),
    Constant("match_phash_min_bits", 16, "bits of 64", "a hash with fewer bits set or unset is of a flat image"),
    Constant("match_max_products", 50_000, "products", "largest shop.match_products: about 2 ms a product"),
    Constant("match_sample_products", 2000, "products", "sample of shop.calibrate_matching"),
    Constant("match_min_groups", 50, "groups", "fewest for shop.calibrate_matching: one half fits, one measures"),
    Constant("match_phash_bits", 6, "bits of 64", "default threshold of the perceptual hash"),
    Constant("match_trigram_distance", 0.5, "1 - similarity", "default threshold of the trigrams"),
    Constant("match_image_share", 0.22, "share", "default image threshold, of the median distance of two images"),
    Constant("match_title_share", 0.36, "share", "default title threshold, of the median distance of two titles"),
)


def values() -> Iterator[tuple[str, str]]:
    """(name, SQL literal) of every constant and of every advisory lock."""
    for constant in (*LIMITS, *BROWSING, *QUERIES, *CALIBRATION, *TAGS, *MATCHES):
        yield constant.name, repr(constant.value)
    for lock in Lock:
        yield f"lock_{lock.name.lower()}", str(lock.value)
