"""Defines the constants of the SQL functions. A SQL file writes a constant by its name, such as `@max_results@`.

Each constant is defined once, with its unit and its meaning or the reason for its value. Python code imports the limits
that it checks. `docs/search.md` shows LIMITS and SEARCH as a table; a test compares the table with these tuples.
"""

from collections.abc import Iterator

from db.functions.bit_constants import BITS
from db.functions.browsing_constants import BROWSING
from db.functions.constant import Constant
from db.functions.job_constants import CALIBRATION, MATCHES, TAGS, WHAT_IF, WORK
from db.functions.start_constants import STARTS
from db.functions.suggestion_constants import SUGGESTIONS
from db.functions.watch_constants import WATCHES

MAX_RESULTS = 1000
MAX_IMAGE_BYTES = 10 * 1024 * 1024
MAX_IMAGE_BASE64 = 14_000_000
MAX_TEXT = 10_000
MAX_INPUTS = 20
MAX_SORT = 2000
MAX_SYNONYM_TERMS = 20
MAX_SIGNAL_WEIGHT = 10
KEYWORD_FEW = 10
KEYWORD_FEW_FACTOR = 4


LIMITS = (
    Constant(
        "max_results",
        MAX_RESULTS,
        "products",
        "largest k, largest depth of a leg, and largest number of results on all pages together",
    ),
    Constant("max_image_bytes", MAX_IMAGE_BYTES, "bytes", "size of the largest query image: 10 MB"),
    Constant("max_image_base64", MAX_IMAGE_BASE64, "characters", "longest image in base64: 10 MB, with line breaks"),
    Constant(
        "max_text_length",
        MAX_TEXT,
        "characters",
        "length of the longest query text; a model reads about 60 words, and a longer text only takes time",
    ),
    Constant("max_inputs", MAX_INPUTS, "entries", "largest number of inputs of a query; each may have to be encoded"),
    Constant(
        "min_input_weight", 0.001, "", "smallest absolute weight of an input; a smaller weight changes no ranking"
    ),
    Constant("max_weight", 1000, "", "largest weight of an input or of a leg; fitted weights are far smaller"),
    Constant(
        "query_max_operators",
        20,
        "operators",
        "largest number of phrases, exclusions and fields in a query; each adds a condition to every leg",
    ),
    Constant("synonym_max_rows", 100_000, "synonyms", "largest number of synonyms of a site"),
    Constant(
        "synonym_max_terms",
        MAX_SYNONYM_TERMS,
        "terms",
        "largest number of terms of a synonym, and of terms that replace one run of words of a query",
    ),
    Constant("synonym_max_words", 5, "words", "largest number of words of a term"),
    Constant("max_signals", 50, "signals", "largest number of ranking signals; a search may read all of them"),
    Constant(
        "max_signal_weight",
        MAX_SIGNAL_WEIGHT,
        "",
        "largest absolute weight of a signal; 1 counts as the first rank of a leg",
    ),
    Constant("max_rrf_k", 10_000, "ranks", "largest rrf_k; a larger value hardly distinguishes the ranks of a leg"),
    Constant(
        "min_vector_norm", 1e-6, "", "least length of a vector; a shorter vector has no direction in half precision"
    ),
    Constant("max_sort_keys", 5, "keys", "largest number of keys of a sort; a sixth would order hardly any product"),
    Constant("max_sort_length", MAX_SORT, "characters", "length of the longest sort"),
    Constant("min_inputs_norm", 0.001, "", "least length of the weighted sum; inputs with a shorter sum cancel out"),
)

SEARCH = (
    Constant("synonym_max_uses", 8, "runs", "largest number of runs of words of a query that synonyms replace"),
    Constant(
        "synonym_variants",
        4,
        "texts",
        "largest number of variants of a query that are encoded; the vector is the mean of the query and its variants",
    ),
    Constant("exclusion_weight", 0.3, "", "weight with which the vector leans away from an excluded word"),
    Constant("exclusion_texts", 2, "texts", "largest number of excluded words or phrases that are encoded"),
    Constant("leg_depth_factor", 3, "x k", "depth with several legs; exceeds k, because fusion reorders products"),
    Constant("leg_depth_min", 50, "products", "least depth with several legs, so that fusion can reorder products"),
    Constant("exact_floor", 100, "matches", "comparing up to this number of matches is no slower than an index scan"),
    Constant(
        "compare_limit", 20_000, "matches", "up to this many matches, a scan may cost no more than comparing them all"
    ),
    Constant("compare_most", 250_000, "matches", "limit of a leg, or exact_limit if larger; 'exact' has no limit"),
    Constant(
        "collect_cost_factor", 2, "", "comparing matches costs twice as much if the matches must be collected first"
    ),
    Constant("attribute_us", 0.4, "us per product", "time to compare an attribute without an index"),
    Constant(
        "attribute_most_us", 10_000, "us", "longest time to read all products for a filter, if scans do not take longer"
    ),
    Constant(
        "assumed_share", 0.5, "of products", "assumed share of matches if none was estimated, as on a forced route"
    ),
    Constant("first_sample_part", 4, "", "under a policy with a subquery, the first sample is smaller by this factor"),
    Constant("sample_products", 300, "products", "size of the sample that estimates the number of matches"),
    Constant("attribute_sample", 100, "x", "a filter without an index is tested on 1/100 of the products"),
    Constant("attribute_sample_most", 3000, "products", "largest sample of such a filter; takes about 2 ms"),
    Constant("sample_deviation", 1.5, "", "three deviations of the square root of a count; one deviation is 0.5"),
    Constant(
        "max_images_per_product", 100, "images", "largest number of rows per product that the first scan of a leg reads"
    ),
    Constant(
        "default_ef_factor", 0.65, "x sqrt(vectors)", "ef_search before a calibration; recall@10 was 0.98 with texts"
    ),
    Constant("default_ef_min", 100, "candidates", "smallest ef_search before a calibration, and for a label"),
    Constant(
        "default_stop_margin",
        0.03,
        "distance",
        "stop margin before a calibration; queries by text need 0.015 to 0.02, by image 0.02 to 0.035",
    ),
    Constant(
        "exact_without_ef",
        40_000,
        "matches",
        "up to this number of matches, all are compared while no known ef_search reaches the target recall",
    ),
    Constant(
        "default_exact_us",
        4,
        "us per row",
        "time to compare a row, before a calibration: for 512 half-precision numbers on one core",
    ),
    Constant(
        "default_hnsw_us",
        10,
        "us per candidate",
        "time of a candidate of the index, before a calibration: for 512 half-precision numbers on one core",
    ),
    Constant("default_rrf_k", 60, "ranks", "rrf_k until a fit, from Cormack, Clarke and Buettcher (2009)"),
    Constant("max_ef_search", 1000, "candidates", "largest hnsw.ef_search that pgvector allows"),
    Constant(
        "max_scan_tuples", 200_000, "tuples", "hnsw.max_scan_tuples; limits the visited tuples, not the returned tuples"
    ),
    Constant("scan_work_mem", 4096, "kB", "work_mem of a scan, whatever the session has set"),
    Constant(
        "scan_mem_multiplier",
        16,
        "x scan_work_mem",
        "hnsw.scan_mem_multiplier: 64 MB; a scan that visits max_scan_tuples takes 31 MB. With 1, scans of a million "
        "products explored no further after about 2,500 candidates, and recall@10 was .97 instead of .99 for 2 %",
    ),
    Constant(
        "label_ef_factor",
        2,
        "x",
        "factor of the estimated ef_search of a label, because its queries are often far from its products",
    ),
    Constant("label_union", 5, "values", "a longer list of values implies no labels: each index costs a scan"),
    Constant("label_sample", 100, "products", "sample that shows whether a scan of a label has missed near products"),
    Constant("hnsw_batch", 20, "candidates", "ef_search of a filtered scan; larger batches would find no more matches"),
    Constant("hnsw_probe", 4, "candidates / share", "a scan under a row policy ends if none of this many is visible"),
    Constant("hnsw_probed_share", 0.3, "of products", "if a larger share matches, hnsw_probe does not apply"),
    Constant("hnsw_secured_factor", 2, "x expected candidates", "limit of the candidates of a scan under a row policy"),
    Constant("hnsw_secured_min", 1000, "candidates", "smallest limit of a scan under a row policy"),
    Constant("hnsw_visited", 32, "x candidates", "most elements that an index with m = 16 visits for each candidate"),
    Constant("hnsw_visible_batch", 5, "candidates", "smallest batch of a scan under a row policy"),
    Constant("hnsw_max_candidates", 20_000, "candidates", "largest number of candidates of any scan with a filter"),
    Constant("hnsw_usual_candidates", 6000, "candidates", "limit of a filtered scan for few results; takes 120 ms"),
    Constant("hnsw_depth_factor", 4, "x depth / share", "limit of a filtered scan for many results, in candidates"),
    Constant("hnsw_first_check", 10, "candidates", "candidates before the first check for convergence"),
    Constant("hnsw_check_every", 50, "candidates", "candidates between two checks for convergence"),
    Constant(
        "hnsw_check_growth",
        400,
        "candidates",
        "the checks become rarer at each multiple of this number, so that they take a tenth of a scan's time",
    ),
    Constant(
        "hnsw_scan_factor", 2.5, "x k / share", "expected candidates until convergence, measured on a synthetic catalog"
    ),
    Constant("hnsw_prior_batches", 5, "batches", "weight of the expected share of matches, in batches of candidates"),
    Constant(
        "hnsw_expected_matches",
        24,
        "matches",
        "a scan that expects fewer matches so far cannot tell whether the filter excludes the neighbourhood; with 8, "
        "recall@10 was .02 less for 2 % of a million products",
    ),
    Constant("narrow_share", 0.5, "of products", "a filter that fewer products pass needs a smaller stop margin"),
    Constant("narrow_power", 0.25, "", "the margin shrinks with share / narrow_share to this power"),
    Constant(
        "hnsw_anti_correlation",
        4,
        "x",
        "if the expected matches exceed the found matches by this factor, the filter excludes the neighbourhood",
    ),
    Constant(
        "mix_ef_search", 400, "candidates", "least ef_search of a mix; its nearest products lie in several regions"
    ),
    *STARTS,
    Constant(
        "exact_random_page_cost",
        1.8,
        "x seq_page_cost",
        "vectors are cached, so reading a vector by key costs little more than reading it in a scan",
    ),
    Constant(
        "background_vectors", 1000, "vectors", "size of the sample that shows how similar a query is to random products"
    ),
    Constant(
        "typical_texts", 16, "titles", "number of titles that show how much the similarities of a meaningful text vary"
    ),
    Constant(
        "typical_vectors", 128, "vectors", "size of the sample that the titles of typical_texts are compared with"
    ),
    Constant(
        "diversity_candidates", 100, "products", "largest number of products that a diverse first page is chosen from"
    ),
    Constant("group_depth_factor", 5, "x k", "depth of a leg with groups; products of one group are often neighbours"),
    Constant("group_most_products", 1000, "products", "largest number of products that are counted for a group"),
    Constant("group_most_read", 5000, "products", "largest number of a group's products that are read to count them"),
    Constant(
        "group_scan_products",
        100_000,
        "products",
        "in a larger site, only ranked products are counted for a group of a field without an index",
    ),
    Constant("cut_least_vectors", 50, "vectors", "a sample of fewer vectors does not show which similarity is usual"),
    Constant(
        "cut_unrelated",
        1000,
        "vectors",
        "the floor lies sqrt(2 ln(1 + n / 1000)) deviations, but at least 1, above the mean of n vectors",
    ),
    Constant(
        "cut_recognised",
        0.68,
        "x sqrt(2 ln n)",
        "least deviations above the mean at which the nearest vector shows that a text has a meaning",
    ),
    Constant(
        "cut_compare_ms", 40, "ms", "if a leg of a cut needs more time to compare all matches, the leg uses the index"
    ),
    Constant(
        "cut_most_products", 5000, "products", "largest number of products that a cut counts for a leg by the index"
    ),
    Constant(
        "cut_max_candidates", 10_000, "candidates", "largest number of index candidates that a cut examines for a leg"
    ),
    Constant(
        "signal_candidates", 1000, "products", "number of products for which a search with a change reads the signals"
    ),
    Constant("max_rule_place", 100, "place", "last place at which a rule can pin a product"),
    Constant("max_general_rules", 100, "rules", "largest number of live rules of a catalog with the same lookup key"),
    Constant("rule_similarity", 0.9, "cosine", "default similarity from which a query has the meaning of a rule"),
    Constant("change_neighbours", 500, "products", "number of products by image that a change ranks again"),
    Constant(
        "change_source", 1, "x deviation", "weight of the similarity of a title and the title of the given product"
    ),
    Constant("change_image", 1.5, "x deviation", "weight of the similarity of a change and an image"),
    Constant("change_title", 1, "x deviation", "weight of the similarity of a change and a title"),
    Constant("change_words", 10, "", "score of a product that has every word of a change"),
    Constant(
        "keyword_common", 500, "products", "a word that is in more products is common and does not select all of them"
    ),
    Constant(
        "keyword_most_read",
        3000,
        "products",
        "largest number of products that the keyword leg reads for each way to find products, except in samples",
    ),
    Constant("keyword_most_listed", 100_000, "products", "if more products have the rarest word, no index is read"),
    Constant(
        "keyword_margin", 5, "x keyword_common", "the index is read if fewer products are expected to have all words"
    ),
    Constant(
        "keyword_max_words",
        32,
        "words",
        "largest number of words of a text that are read; more words hardly change the ranking",
    ),
    Constant("keyword_max_length", 1000, "characters", "length of the beginning of a text that is read for words"),
    Constant("code_min_length", 5, "characters", "a shorter number among other words is a size, a year or a count"),
    Constant("code_most_words", 5, "words", "largest number of words of an identifier that is typed with blanks"),
    Constant(
        "code_most_products", 100, "products", "a code that the words of more products contain is not a model number"
    ),
    Constant(
        "exact_most_read",
        10000,
        "products",
        "largest number of products with a key, a brand or a code that are read before the filter applies",
    ),
    Constant("typo_min_letters", 4, "letters", "a shorter word has too few trigrams to be looked up by trigrams"),
    Constant("typo_similarity", 0.5, "word similarity", "least similarity of a title to a typo; higher in large sites"),
    Constant("typo_weight", 0.5, "x similarity", "score of a product that a misspelt word found"),
    Constant("correction_titles", 50, "titles", "number of found titles whose words may replace a misspelt word"),
    Constant("correction_similarity", 0.44, "similarity", "least trigram similarity of a word and its correction"),
    Constant(
        "correction_letters",
        2,
        "letters",
        "most letters that a correction adds or omits if one word contains the other",
    ),
    Constant("compound_min_letters", 4, "letters", "too many German and Dutch words contain a shorter word"),
    Constant(
        "compound_weight", 0.01, "", "score of a word found inside a longer word; any whole word has a higher score"
    ),
    Constant(
        "keyword_few",
        KEYWORD_FEW,
        "products",
        "the words point to a product if at most this number of products have as many points or more",
    ),
    Constant(
        "keyword_few_factor",
        KEYWORD_FEW_FACTOR,
        "x weight",
        "the keyword leg's weight for a product that the words point to, which then outweighs the vector legs",
    ),
    *BITS,
)

QUERIES = (
    Constant("gateway_max_requests", 1000, "requests", "largest number of waiting requests; WS004 refuses a new one"),
)


def values() -> Iterator[tuple[str, str]]:
    """Yield (name, SQL literal) for every constant."""
    for constant in (
        *LIMITS,
        *SEARCH,
        *SUGGESTIONS,
        *BROWSING,
        *QUERIES,
        *CALIBRATION,
        *TAGS,
        *MATCHES,
        *WHAT_IF,
        *WORK,
        *WATCHES,
    ):
        yield constant.name, repr(constant.value)
