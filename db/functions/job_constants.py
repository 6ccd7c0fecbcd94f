"""Defines the constants of the SQL functions for calibration, tags, matches, what_if, coverage and encoders.

constants.py explains how SQL files use constants, and defines the constants of searches.
"""

from db.functions.constant import Constant

CALIBRATION = (
    Constant(
        "calibration_time_quantile",
        0.25,
        "quantile",
        "the lower quartile of the measured times is used, because it excludes other load on the machine",
    ),
    Constant(
        "calibration_label_queries", 100, "queries", "largest number of queries that measure the index of a label"
    ),
    Constant(
        "calibration_confidence",
        1.645,
        "standard errors",
        "distance of the lower confidence bound from the mean: one-sided 95 % of the normal distribution",
    ),
    Constant(
        "calibration_few_products",
        500,
        "products",
        "searches are timed with few and with many matches; few are this number, but at most a quarter of the products",
    ),
    Constant(
        "calibration_many_products",
        2500,
        "products",
        "many matches are this number, but at most all products",
    ),
    Constant("least_exact_us", 0.5, "us per row", "lower bound of a comparison's time; even a cached row takes longer"),
    Constant(
        "calibration_mixes",
        40,
        "searches",
        "largest number of mixes of products that are measured, and of queries that are measured with each far filter",
    ),
    Constant(
        "own_category_margin",
        1.5,
        "x margin",
        "factor of the stop margin, because a filter on the query's own category needs a larger margin; a filter that "
        "half of the products pass reached a recall of .982 with the factor 1.25, and of .985 to .988 with 1.5",
    ),
    Constant("calibration_timed", 50, "queries", "number of queries with which the time of a comparison is measured"),
    Constant(
        "calibration_comparisons",
        5_000_000,
        "comparisons",
        "comparisons of the exact search between two checks of the time; they take about a second",
    ),
    Constant(
        "calibration_growth",
        1.1,
        "x products",
        "an interrupted run is not continued if the number of products has changed by more than this factor",
    ),
    Constant(
        "calibration_knee",
        0.005,
        "recall",
        "if no setting reaches the target, the chosen one may miss the best measured recall by this much",
    ),
    Constant(
        "calibration_gain",
        0.002,
        "recall",
        "trials end if a margin above default_stop_margin adds less recall than this",
    ),
    Constant(
        "calibration_progress",
        0.1,
        "of the missing recall",
        "trials also end if such a margin adds less than this share of the recall that was missing from the target; "
        "with 300 queries, small gains are partly chance",
    ),
    Constant(
        "calibration_far_types", 3, "product types", "largest number of product types that are measured as far filters"
    ),
    Constant("calibration_index_products", 2000, "products", "the index of a smaller site is not measured"),
)

TAGS = (
    Constant("max_zero_shot_comparisons", 5_000_000, "comparisons", "limit of products times labels in shop.zero_shot"),
)

MATCHES = (
    Constant(
        "match_exact_products",
        2000,
        "products",
        "if at most this many products can match, each of them is compared, without an index",
    ),
    Constant("match_scan_tuples", 2000, "vectors", "value of hnsw.max_scan_tuples for the matches of one product"),
    Constant(
        "match_shared_images", 50, "products", "an image of more products than this is assumed to be a placeholder"
    ),
    Constant(
        "match_phash_min_bits",
        16,
        "bits of 64",
        "an image with fewer set bits in its hash, or with fewer unset bits, is flat and is not compared",
    ),
    Constant("match_max_products", 50_000, "products", "limit of a call of shop.match_products; a product takes 2 ms"),
    Constant("match_sample_products", 2000, "products", "size of the sample of shop.calibrate_matching"),
    Constant("match_min_groups", 50, "groups", "least number of groups that shop.calibrate_matching needs"),
    Constant("match_phash_bits", 6, "bits of 64", "default threshold of the distance of two perceptual hashes"),
    Constant(
        "match_trigram_distance", 0.5, "1 - similarity", "default threshold of the trigram distance of two titles"
    ),
    Constant(
        "match_image_share", 0.22, "share", "default image threshold, as a share of the median distance of two images"
    ),
    Constant(
        "match_title_share", 0.36, "share", "default title threshold, as a share of the median distance of two titles"
    ),
)

WHAT_IF = (
    Constant("what_if_changes", 100, "changes", "largest number of changes of shop.what_if"),
    Constant("what_if_products", 10_000, "products", "largest number of products that shop.what_if changes"),
    Constant("what_if_queries", 2000, "queries", "largest suite of shop.what_if; a query takes two searches"),
    Constant("what_if_page", 100, "products", "largest first page that shop.what_if compares"),
    Constant(
        "what_if_step",
        50,
        "products",
        "number of products that are changed between two checks whether another session waits",
    ),
    Constant(
        "what_if_tries",
        20,
        "rounds",
        "shop.what_if gives up after this many rounds without a result; one that waits .5 s for a lock counts twice",
    ),
    Constant(
        "what_if_writes",
        200_000,
        "rows",
        "number of written rows after which shop.what_if gives up; each round writes the changed products again",
    ),
)

WORK = (
    Constant(
        "coverage_exact_rows",
        100_000,
        "rows",
        "larger numbers of products, images or work items are estimated, except on request or under a row policy",
    ),
    Constant("coverage_sample_rows", 3000, "rows", "size of the sample from which larger numbers are estimated"),
    Constant(
        "fetch_attempts",
        30,
        "attempts",
        "largest number of attempts to fetch an image from a failing host; they take about a day",
    ),
    Constant("query_lane_seconds", 30, "seconds", "an encoder without a report for this long counts as dead"),
    Constant("query_lane_grace", 7, "seconds", "a query waits for an encoder whose last report is at most this old"),
)
