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
    Constant("max_results", MAX_RESULTS, "products", "largest k, depth of a leg, and window of pages"),
    Constant("max_image_bytes", MAX_IMAGE_BYTES, "bytes", "largest image of a query: 10 MB"),
    Constant("max_image_base64", MAX_IMAGE_BASE64, "characters", "10 MB in base64, with line breaks"),
    Constant("max_text_length", MAX_TEXT, "characters", "a model reads about 60 words; more only takes time"),
    Constant("max_inputs", MAX_INPUTS, "entries", "weighted inputs of a query; each may cost an encoding"),
    Constant("min_input_weight", 0.001, "", "a smaller weight changes no ranking"),
    Constant("max_weight", 1000, "", "largest weight of an input or a leg; far above any fitted weight"),
    Constant("max_rrf_k", 10_000, "ranks", "largest rrf_k; above it rank fusion hardly tells ranks apart"),
    Constant("min_vector_norm", 1e-6, "", "a shorter vector has no direction in half precision"),
    Constant("min_inputs_norm", 0.001, "", "inputs whose weighted sum is shorter cancel each other out"),
)

SEARCH = (
    Constant("leg_depth_factor", 3, "x k", "each leg ranks more products than are shown: fusion reorders them"),
    Constant("leg_depth_min", 50, "products", "least depth of a leg, so that fusion can reorder for a small k"),
    Constant("exact_floor", 100, "matches", "up to this many, all are compared: an index scan costs no less"),
    Constant("collect_limit", 20_000, "matches", "largest number collected for comparison after an index scan gave up"),
    Constant("starts_limit", 100_000, "matches", "up to this many, all are compared after an index scan gave up"),
    Constant("collect_cost_factor", 2, "", "comparing costs twice as much while the matches are not collected"),
    Constant("assumed_share", 0.5, "of products", "share assumed to match when no sample was taken: most match"),
    Constant("sample_products", 300, "products", "sample that estimates how many match; takes less than a millisecond"),
    Constant("sample_deviation", 1.5, "", "three standard deviations of the square root of a count, each 0.5"),
    Constant("max_images_per_product", 100, "images", "most rows that the first scan reads per product"),
    Constant("default_ef_factor", 0.65, "", "x sqrt(vectors): recall@10 of .98 with texts, before a calibration"),
    Constant("default_ef_min", 100, "candidates", "smallest ef_search before a calibration"),
    Constant("default_stop_margin", 0.03, "distance", "0.015 to 0.02 suit texts, 0.02 to 0.035 images"),
    Constant("default_exact_us", 4, "us per row", "512 half-precision numbers on one core"),
    Constant("default_hnsw_us", 10, "us per candidate", "512 half-precision numbers on one core"),
    Constant("default_rrf_k", 60, "ranks", "the value of Cormack, Clarke and Buettcher (2009), until one is fitted"),
    Constant("max_ef_search", 1000, "candidates", "pgvector's own limit"),
    Constant("max_scan_tuples", 200_000, "tuples", "hnsw.max_scan_tuples: tuples visited, not returned"),
    Constant("hnsw_batch", 20, "candidates", "ef_search of a filtered scan: small batches find as much as large ones"),
    Constant("hnsw_max_candidates", 100_000, "candidates", "most candidates of a filtered scan"),
    Constant("hnsw_first_check", 10, "candidates", "PL/pgSQL fetches 10 rows first"),
    Constant("hnsw_check_every", 50, "candidates", "PL/pgSQL fetches 50 rows at a time from then on"),
    Constant("hnsw_check_growth", 400, "candidates", "checks become rarer at each multiple, to take a tenth of a scan"),
    Constant("hnsw_scan_factor", 2.5, "x k / share", "candidates until convergence, measured on a synthetic catalog"),
    Constant("hnsw_prior_batches", 5, "batches", "weight of the overall share while few candidates have been seen"),
    Constant("hnsw_expected_matches", 8, "matches", "fewer expected matches say nothing about the neighbourhood"),
    Constant("hnsw_anti_correlation", 4, "x fewer", "matches than expected: the filter excludes the neighbourhood"),
    Constant("mix_ef_search", 400, "candidates", "least ef_search of a mix, whose nearest lie in several regions"),
    Constant("start_candidates", 200, "candidates", "of each walk from a start: 100 find less of a mix's nearest"),
    Constant(
        "start_pull", 0.3, "x query", "moves a start to the query; 0 stays too near the start, 1 leaves its region"
    ),
    Constant("start_rounds", 4, "rounds", "most rounds of walks; later rounds change hardly anything"),
    Constant("start_count", 4, "walks", "of each round after the inputs, and from sampled matches"),
    Constant("start_distance", 0.2, "cosine distance", "starts that are nearer to each other lie in one region"),
    Constant("start_choice", 50, "products", "the nearest products found so far, from which the next starts come"),
    Constant("start_sample", 300, "matches", "sampled matches, of which the nearest are starts under a far filter"),
    Constant(
        "exact_random_page_cost", 1.8, "x seq_page_cost", "vectors are cached: reading one by key costs little more"
    ),
    Constant("background_vectors", 1000, "vectors", "sample that shows how similar a query is to any product"),
    Constant("typical_texts", 16, "titles", "texts whose similarities show how much those of a meaningful text vary"),
    Constant("typical_vectors", 128, "vectors", "sample that these titles are compared with"),
    Constant("cut_least_vectors", 50, "vectors", "fewer do not show which similarity is usual"),
    Constant(
        "cut_unrelated", 1000, "vectors", "the floor of a cut is sqrt(2 ln(1 + n / 1000)) deviations for n vectors"
    ),
    Constant("cut_recognised", 0.7, "x sqrt(2 ln n)", "deviations of the nearest of n vectors for a text with meaning"),
    Constant("cut_compare_ms", 40, "ms", "a cut compares all matches in this time for a leg, or else uses the index"),
    Constant("cut_most_products", 5000, "products", "most products that a leg finds by its index and a cut counts"),
    Constant("cut_max_candidates", 10_000, "candidates", "most candidates of the index that a cut examines for a leg"),
    Constant("keyword_common", 500, "products", "a word in more products does not select, it only ranks"),
    Constant("keyword_scan_share", 0.02, "of products", "a table scan finds the first products sooner than an index"),
    Constant("keyword_max_words", 32, "words", "more words cost time and hardly change the ranking"),
    Constant("keyword_max_length", 1000, "characters", "the part of a text that is read for words"),
    Constant("code_min_length", 5, "characters", "a shorter number among other words is a size, a year or a count"),
    Constant("code_most_words", 5, "words", "an identifier that is typed with blanks has at most this many parts"),
    Constant("code_most_products", 100, "products", "a code in the words of more products is no model number"),
    Constant("exact_most_read", 10000, "products", "of a key, a brand or a code, read before the filter"),
    Constant("typo_min_letters", 4, "letters", "shorter words have too few trigrams to be compared"),
    Constant("typo_similarity", 0.5, "word similarity", "least similarity at which a title fits a misspelt word"),
    Constant("typo_weight", 0.5, "", "x similarity: score of a product found by a misspelt word"),
    Constant("compound_min_letters", 4, "letters", "shorter words are parts of too many German and Dutch words"),
    Constant("compound_weight", 0.01, "", "score of a word found in a longer one: less than any whole word"),
    Constant("keyword_few", KEYWORD_FEW, "products", "up to this many with every word are what the words name"),
    Constant("keyword_few_factor", KEYWORD_FEW_FACTOR, "x weight", "no vector legs outweigh a named product"),
)

BROWSING = (
    Constant("max_facet_fields", 20, "fields", "most fields of a call; a search page shows fewer"),
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
    Constant(
        "calibration_mixes", 40, "searches", "mixes of products, and at most as many queries far from each filter"
    ),
    Constant("calibration_far_types", 3, "product types", "commonest types that are measured as a far filter"),
    Constant("calibration_unreached_rows", 40_000, "matches", "compared where no ef_search reaches the target recall"),
    Constant("calibration_index_products", 2000, "products", "below this every search compares all matches"),
)

TAGS = (Constant("max_zero_shot_comparisons", 5_000_000, "comparisons", "products times labels of one shop.zero_shot"),)

MATCHES = (
    Constant("match_exact_products", 2000, "products", "up to this many products are compared one by one"),
    Constant("match_scan_tuples", 2000, "vectors", "hnsw.max_scan_tuples for one product"),
    Constant("match_shared_images", 50, "products", "an image that more products show is a placeholder"),
    Constant("match_phash_min_bits", 16, "bits of 64", "with fewer bits set or unset, the image is flat"),
    Constant("match_max_products", 50_000, "products", "largest shop.match_products: about 2 ms a product"),
    Constant("match_sample_products", 2000, "products", "sample of shop.calibrate_matching"),
    Constant("match_min_groups", 50, "groups", "fewest for shop.calibrate_matching: half of them fit, half measure"),
    Constant("match_phash_bits", 6, "bits of 64", "default threshold of the perceptual hash"),
    Constant("match_trigram_distance", 0.5, "1 - similarity", "default threshold of the trigrams"),
    Constant("match_image_share", 0.22, "share", "default image threshold, of the median distance of two images"),
    Constant("match_title_share", 0.36, "share", "default title threshold, of the median distance of two titles"),
)


def values() -> Iterator[tuple[str, str]]:
    """Yield (name, SQL literal) for every constant and every advisory lock."""
    for constant in (*LIMITS, *SEARCH, *BROWSING, *QUERIES, *CALIBRATION, *TAGS, *MATCHES):
        yield constant.name, repr(constant.value)
    for lock in Lock:
        yield f"lock_{lock.name.lower()}", str(lock.value)
