"""The SQL functions, one file each, applied again after every upgrade, in this order (callees first).

A file names what a site may place elsewhere as `@word@`: the five roles (`@owner@`, `@analyst@`, ...) and the schemas
of the extensions (`@vector@`, `@dblink@`), and `@revision@` is the schema's own. Nothing else is substituted.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

IN_CALL_ORDER = (
    "site/schema_revision",
    "work/work_enqueue",
    "work/product_images_inserted",
    "catalog/product_catalog",
    "work/work_claim",
    "work/work_complete",
    "work/known_vectors",
    "work/work_fail",
    "work/work_outstanding",
    "work/worker_heartbeat",
    "work/worker_release",
    "catalog/upsert_staged",
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
    "models/coverage",
    "models/model_coverage",
    "queries/popular_queries",
    "queries/no_result_queries",
    "filters/filter_value",
    "filters/filter_attribute",
    "filters/filter_condition",
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
    "tags/calibrate_zero_shot",
    "matches/match_score",
    "matches/match_candidates",
    "matches/match_pairs",
    "matches/match_products",
    "matches/matches",
    "matches/match_f1",
    "matches/calibrate_matching",
    "calibration/refresh_common_words",
    "calibration/calibrate",
    "site/api_key_use",
    "site/encoder_state",
    "catalog/image_folder",
    "grants",
)

_NAME = re.compile(r"@([a-z]+)@")


def statements(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (file name, SQL) with each `@word@` replaced from `names`. Raises KeyError for an unknown word."""
    folder = files(__name__)
    for name in IN_CALL_ORDER:
        source = (folder / f"{name}.sql").read_text(encoding="utf-8")
        yield name, _NAME.sub(lambda match: names[match[1]], source)
