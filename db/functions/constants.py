"""The named numbers of the SQL functions. A SQL file names one as `@max_results@`.

Each number is defined once, with its unit and the reason for its value. Python imports the limits that it checks.
`docs/search.md` shows LIMITS and SEARCH as a table; a test compares the two.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from db.locks import Lock

MAX_RESULTS = 1000
MAX_IMAGE_BYTES = 10 * 1024 * 1024
MAX_IMAGE_BASE64 = 14_000_000
MAX_TEXT = 10_000
MAX_INPUTS = 20
KEYWORD_FEW = 10
KEYWORD_FEW_FACTOR = 4


@dataclass(frozen=True, slots=True)
class Constant:
    name: str
    value: float
    unit: str
    reason: str


LIMITS = (
    Constant("max_results", MAX_RESULTS, "products", "largest k, largest depth of a leg, and window of all pages"),
    Constant("max_image_bytes", MAX_IMAGE_BYTES, "bytes", "largest image of a query: 10 MB"),
    Constant("max_image_base64", MAX_IMAGE_BASE64, "characters", "largest image in base64: 10 MB, with line breaks"),
    Constant(
        "max_text_length",
        MAX_TEXT,
        "characters",
        "longest query text; a model reads about 60 words, more only take time",
    ),
    Constant("max_inputs", MAX_INPUTS, "entries", "most weighted inputs of a query; each may have to be encoded"),
    Constant(
        "min_input_weight", 0.001, "", "smallest absolute weight of an input; a smaller weight changes no ranking"
    ),
    Constant("max_weight", 1000, "", "largest weight of an input or a leg; far above any fitted weight"),
    Constant("max_rrf_k", 10_000, "ranks", "largest rrf_k; a larger value hardly distinguishes the ranks of a leg"),
    Constant(
        "min_vector_norm", 1e-6, "", "least length of a vector; a shorter vector has no direction in half precision"
    ),
    Constant(
        "min_inputs_norm", 0.001, "", "least length of the weighted sum; inputs with a shorter sum cancel each other"
    ),
)

SEARCH = (
    Constant(
        "leg_depth_factor", 3, "x k", "depth of a leg: more than k, because fusion reorders the products of the legs"
    ),
    Constant(
        "leg_depth_min", 50, "products", "least depth of a leg, so that fusion can also reorder products for a small k"
    ),
    Constant(
        "exact_floor", 100, "matches", "up to this many matches, comparing all of them is no slower than an index scan"
    ),
    Constant(
        "collect_limit",
        20_000,
        "matches",
        "most matches that a mix compares, or that are collected after a scan gave up",
    ),
    Constant(
        "starts_limit", 100_000, "matches", "up to this many matches, all are compared after an index scan gave up"
    ),
    Constant("collect_cost_factor", 2, "", "collecting the matches first doubles the cost of comparing them"),
    Constant(
        "assumed_share", 0.5, "of products", "assumed share of matches if no sample was taken; most products then match"
    ),
    Constant(
        "sample_products",
        300,
        "products",
        "size of the sample that estimates how many match; takes under a millisecond",
    ),
    Constant("sample_deviation", 1.5, "", "three standard deviations, each 0.5, of the square root of a count"),
    Constant("max_images_per_product", 100, "images", "most rows per product that the first scan of a leg reads"),
    Constant(
        "default_ef_factor", 0.65, "x sqrt(vectors)", "ef_search before a calibration: recall@10 of .98 with texts"
    ),
    Constant("default_ef_min", 100, "candidates", "smallest ef_search before a calibration"),
    Constant(
        "default_stop_margin", 0.03, "distance", "before a calibration; 0.015 to 0.02 suits texts, 0.02 to 0.035 images"
    ),
    Constant(
        "exact_without_ef",
        40_000,
        "matches",
        "up to this many are compared while no calibration has found an ef_search that reaches the target",
    ),
    Constant("default_exact_us", 4, "us per row", "before a calibration: 512 half-precision numbers on one core"),
    Constant("default_hnsw_us", 10, "us per candidate", "before a calibration: 512 half-precision numbers on one core"),
    Constant("default_rrf_k", 60, "ranks", "rrf_k until one is fitted, from Cormack, Clarke and Buettcher (2009)"),
    Constant("max_ef_search", 1000, "candidates", "pgvector's own limit of hnsw.ef_search"),
    Constant(
        "max_scan_tuples", 200_000, "tuples", "hnsw.max_scan_tuples, which counts visited tuples, not returned tuples"
    ),
    Constant("hnsw_batch", 20, "candidates", "ef_search of a filtered scan: small batches find as much as large ones"),
    Constant("hnsw_max_candidates", 100_000, "candidates", "most candidates of a filtered scan"),
    Constant("hnsw_first_check", 10, "candidates", "first check for convergence: PL/pgSQL fetches 10 rows first"),
    Constant("hnsw_check_every", 50, "candidates", "distance between checks: PL/pgSQL then fetches 50 rows at a time"),
    Constant(
        "hnsw_check_growth", 400, "candidates", "checks become rarer at each multiple, so they take a tenth of a scan"
    ),
    Constant(
        "hnsw_scan_factor", 2.5, "x k / share", "expected candidates until convergence, measured on a synthetic catalog"
    ),
    Constant(
        "hnsw_prior_batches", 5, "batches", "weight of the overall share of matches, against the examined candidates"
    ),
    Constant("hnsw_expected_matches", 8, "matches", "fewer expected matches say nothing about the neighbourhood"),
    Constant(
        "hnsw_anti_correlation",
        4,
        "x",
        "this many times fewer matches than expected: the filter excludes the neighbourhood",
    ),
    Constant(
        "mix_ef_search", 400, "candidates", "least ef_search of a mix, whose nearest products lie in several regions"
    ),
    Constant(
        "start_candidates", 200, "candidates", "per walk from a start; 100 find fewer of a mix's nearest products"
    ),
    Constant(
        "start_pull", 0.3, "x query", "moves a start to the query; 0 stays too near the start, 1 leaves its region"
    ),
    Constant("start_rounds", 4, "rounds", "most rounds of walks; later rounds change hardly anything"),
    Constant("start_count", 4, "walks", "most walks of a later round, and most walks from sampled matches"),
    Constant(
        "start_distance", 0.2, "cosine distance", "two starts that are nearer to each other lie in the same region"
    ),
    Constant("start_choice", 50, "products", "number of nearest products among which the next starts are chosen"),
    Constant(
        "start_sample", 300, "matches", "size of the sample whose nearest matches are the starts under a far filter"
    ),
    Constant(
        "exact_random_page_cost", 1.8, "x seq_page_cost", "vectors are cached, so reading one by key costs little more"
    ),
    Constant(
        "background_vectors", 1000, "vectors", "size of the sample that shows how similar a query is to any product"
    ),
    Constant(
        "typical_texts", 16, "titles", "sampled titles that show how much the similarities of a meaningful text vary"
    ),
    Constant(
        "typical_vectors", 128, "vectors", "size of the sample that the titles of typical_texts are compared with"
    ),
    Constant("cut_least_vectors", 50, "vectors", "fewer vectors do not show which similarity is usual"),
    Constant(
        "cut_unrelated", 1000, "vectors", "n vectors put the floor sqrt(2 ln(1 + n / 1000)) deviations above the mean"
    ),
    Constant(
        "cut_recognised",
        0.7,
        "x sqrt(2 ln n)",
        "deviations above the mean that the nearest vector of a text with meaning has",
    ),
    Constant(
        "cut_compare_ms", 40, "ms", "longest comparison of all matches for a leg of a cut; above it, the index is used"
    ),
    Constant("cut_most_products", 5000, "products", "most products that a cut counts for a leg if it uses the index"),
    Constant("cut_max_candidates", 10_000, "candidates", "most index candidates that a cut examines for a leg"),
    Constant(
        "keyword_common", 500, "products", "a word that is in more products selects no products, it only ranks them"
    ),
    Constant("keyword_scan_share", 0.02, "of products", "a table scan finds a commoner word sooner than an index"),
    Constant(
        "keyword_max_words", 32, "words", "most words of a text; more words cost time and hardly change the ranking"
    ),
    Constant("keyword_max_length", 1000, "characters", "length of the beginning of a text that is read for words"),
    Constant("code_min_length", 5, "characters", "a shorter number among other words is a size, a year or a count"),
    Constant("code_most_words", 5, "words", "an identifier that is typed with blanks has at most this many parts"),
    Constant(
        "code_most_products", 100, "products", "a code that is in the words of more products is not a model number"
    ),
    Constant(
        "exact_most_read", 10000, "products", "most products with a key, brand or code that are read before the filter"
    ),
    Constant("typo_min_letters", 4, "letters", "shorter words have too few trigrams to be compared"),
    Constant("typo_similarity", 0.5, "word similarity", "least similarity at which a title fits a misspelt word"),
    Constant("typo_weight", 0.5, "x similarity", "score of a product found by a misspelt word"),
    Constant("compound_min_letters", 4, "letters", "shorter words are parts of too many German and Dutch words"),
    Constant(
        "compound_weight", 0.01, "", "score of a word found inside a longer word: less than any whole word's score"
    ),
    Constant(
        "keyword_few", KEYWORD_FEW, "products", "if at most this many have every word, the words name these products"
    ),
    Constant("keyword_few_factor", KEYWORD_FEW_FACTOR, "x weight", "a named product then outweighs the vector legs"),
)

BROWSING = (
    Constant("max_facet_fields", 20, "fields", "most fields of a call; a search page shows fewer"),
    Constant("max_facet_values", 1000, "values", "largest value of limit_values"),
    Constant("max_facet_buckets", 100, "ranges", "most ranges of a numeric field"),
    Constant("facets_exact_products", 100_000, "products", "more matches than this are counted in a sample"),
    Constant("facets_sample_products", 20_000, "products", "size of the sample whose counts are scaled up"),
)

QUERIES = (
    Constant("gateway_max_requests", 1000, "requests", "more waiting requests than this are refused with WS004"),
)

CALIBRATION = (
    Constant(
        "calibration_time_quantile", 0.25, "quantile", "lower quartile, because other load on the machine is no cost"
    ),
    Constant("calibration_confidence", 1.645, "standard errors", "one-sided 95 % bound of the normal distribution"),
    Constant("calibration_few_products", 500, "products", "smaller number of matches whose comparison is timed"),
    Constant("calibration_many_products", 2500, "products", "larger number of matches whose comparison is timed"),
    Constant(
        "calibration_mixes", 40, "searches", "measured mixes of products, and most queries measured for a far filter"
    ),
    Constant(
        "calibration_far_types", 3, "product types", "the commonest product types, which are measured as far filters"
    ),
    Constant("calibration_index_products", 2000, "products", "below this, calibration does not measure the index"),
)

TAGS = (
    Constant(
        "max_zero_shot_comparisons", 5_000_000, "comparisons", "most products times labels of a call of shop.zero_shot"
    ),
)

MATCHES = (
    Constant("match_exact_products", 2000, "products", "up to this many products are compared one by one"),
    Constant("match_scan_tuples", 2000, "vectors", "value of hnsw.max_scan_tuples for the matches of one product"),
    Constant("match_shared_images", 50, "products", "an image that more products show is a placeholder"),
    Constant(
        "match_phash_min_bits", 16, "bits of 64", "an image with fewer bits set, or with fewer bits unset, is flat"
    ),
    Constant(
        "match_max_products", 50_000, "products", "most products of a shop.match_products call: about 2 ms a product"
    ),
    Constant("match_sample_products", 2000, "products", "size of the sample of shop.calibrate_matching"),
    Constant("match_min_groups", 50, "groups", "least number for shop.calibrate_matching, which fits on half of them"),
    Constant("match_phash_bits", 6, "bits of 64", "default threshold of the perceptual hash"),
    Constant("match_trigram_distance", 0.5, "1 - similarity", "default threshold of the trigrams"),
    Constant(
        "match_image_share", 0.22, "share", "default image threshold, as a share of the median distance of two images"
    ),
    Constant(
        "match_title_share", 0.36, "share", "default title threshold, as a share of the median distance of two titles"
    ),
)

WORK = (
    Constant("fetch_attempts", 30, "attempts", "to fetch an image whose host fails: about a day, most an hour apart"),
)


def values() -> Iterator[tuple[str, str]]:
    """Yield (name, SQL literal) for every constant and every advisory lock."""
    for constant in (*LIMITS, *SEARCH, *BROWSING, *QUERIES, *CALIBRATION, *TAGS, *MATCHES, *WORK):
        yield constant.name, repr(constant.value)
    for lock in Lock:
        yield f"lock_{lock.name.lower()}", str(lock.value)
