"""The SQL functions, one file each, applied again after every upgrade, in this order (callees first).

`@word@` in a file is replaced: the five roles (`@owner@`, `@analyst@`, ...), the schemas of the extensions (`@vector@`,
`@dblink@`), the schema's own `@revision@`, the numbers of `constants.py` (`@max_results@`) and the keys of
`db/locks.py` (`@lock_upgrade@`). Nothing else is substituted.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

from db.functions import constants

IN_CALL_ORDER = (
    "site/schema_revision",
    "work/work_enqueue",
    "work/products_inserted",
    "work/product_images_inserted",
    "work/product_images_deleted",
    "work/product_changed",
    "work/product_image_changed",
    "catalog/product_catalog",
    "catalog/set_language",
    "work/work_claim",
    "work/work_complete",
    "work/image_seen",
    "work/known_vectors",
    "work/work_fail",
    "work/work_retry",
    "work/work_outstanding",
    "work/work_quarantined",
    "work/quarantine",
    "work/worker_heartbeat",
    "work/worker_release",
    "catalog/upsert_staged",
    "catalog/image_root_id",
    "queries/gateway_encode",
    "queries/gateway_lookup",
    "queries/gateway_fetch",
    "queries/query_vector",
    "queries/request_claim",
    "queries/request_answer",
    "queries/request_refuse",
    "site/housekeep",
    "models/serve_model",
    "models/serving",
    "models/clip_text",
    "models/clip_image",
    "models/product_vector",
    "models/coverage",
    "models/model_coverage",
    "queries/popular_queries",
    "queries/no_result_queries",
    "filters/filter_value",
    "filters/filter_items",
    "filters/filter_pattern",
    "filters/filter_shown",
    "filters/filter_either",
    "filters/filter_column",
    "filters/filter_attribute",
    "filters/filter_condition",
    "filters/filter_sql",
    "filters/filter_group",
    "filters/filter_kind",
    "filters/filter_test",
    "filters/catalog_condition",
    "search/search_settings",
    "search/search_matches",
    "search/nearest_leg",
    "search/hnsw_leg",
    "search/exact_leg",
    "search/search_leg",
    "search/keyword_leg",
    "search/query_vectors",
    "search/search_run",
    "search/search_fuse",
    "search/search",
    "models/trial_search",
    "search/similar",
    "search/explain_search",
    "browsing/nice_bounds",
    "browsing/facets",
    "browsing/browse",
    "tags/tag_expression",
    "tags/zero_shot",
    "tags/label_vectors",
    "tags/zero_shot_fit",
    "tags/calibrate_zero_shot",
    "tags/confidence_measures",
    "matches/closeness",
    "matches/title_closeness",
    "matches/match_score",
    "matches/match_thresholds",
    "matches/match_candidates",
    "matches/match_pairs",
    "matches/match_products",
    "matches/groups",
    "matches/matches",
    "matches/match_f1",
    "matches/submission",
    "matches/calibrate_matching",
    "matches/fit_thresholds",
    "matches/trial_f1",
    "calibration/refresh_common_words",
    "calibration/calibrate",
    "calibration/calibration_truth",
    "calibration/calibration_exact",
    "calibration/calibration_try",
    "calibration/relevance_floor",
    "site/api_key_use",
    "site/encoder_state",
    "catalog/image_folder",
    "grants",
)

_NAME = re.compile(r"@([a-z][a-z0-9_]*)@")


def statements(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (file name, SQL) with each `@word@` replaced from `names`, the constants and the lock keys.

    Raises KeyError for an unknown word.
    """
    words = {**dict(constants.values()), **names}
    folder = files(__name__)
    for name in IN_CALL_ORDER:
        source = (folder / f"{name}.sql").read_text(encoding="utf-8")
        yield name, _NAME.sub(lambda match: words[match[1]], source)
