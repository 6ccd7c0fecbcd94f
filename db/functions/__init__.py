"""The SQL functions, one file each, applied again after every upgrade, in this order (callees first).

A file names what a site may place elsewhere as `@word@`: the five roles (`@owner@`, `@analyst@`, ...) and the schemas
of the extensions (`@vector@`, `@dblink@`), and `@revision@` is the schema's own. Nothing else is substituted.
"""

import re
from collections.abc import Iterator, Mapping
from importlib.resources import files

IN_CALL_ORDER = (
    "schema_revision",
    "work_enqueue",
    "work_triggers",
    "product_catalog",
    "work_claim",
    "work_complete",
    "known_vectors",
    "work_fail",
    "work_outstanding",
    "worker_heartbeat",
    "worker_release",
    "upsert_staged",
    "gateway_encode",
    "gateway_lookup",
    "gateway_fetch",
    "query_vector",
    "request_claim",
    "request_answer",
    "request_refuse",
    "housekeep",
    "serve_model",
    "serving",
    "clip_text",
    "coverage",
    "model_coverage",
    "popular_queries",
    "no_result_queries",
    "filter_value",
    "filter_field",
    "filter_condition",
    "catalog_condition",
    "search_settings",
    "search_matches",
    "nearest_leg",
    "hnsw_leg",
    "exact_leg",
    "search_leg",
    "keyword_leg",
    "query_vectors",
    "search_run",
    "search_fuse",
    "search",
    "trial_search",
    "similar",
    "explain_search",
    "nice_bounds",
    "facets",
    "browse",
    "tag_expression",
    "zero_shot",
    "calibrate_zero_shot",
    "match_score",
    "match_candidates",
    "match_pairs",
    "match_products",
    "matches",
    "match_f1",
    "calibrate_matching",
    "common_words",
    "calibrate",
    "api_key_use",
    "encoder_state",
    "image_folder",
    "grants",
)

_NAME = re.compile(r"@([a-z]+)@")


def statements(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (file name, SQL) with each `@word@` replaced from `names`. Raises KeyError for an unknown word."""
    folder = files(__name__)
    for name in IN_CALL_ORDER:
        source = (folder / f"{name}.sql").read_text(encoding="utf-8")
        yield name, _NAME.sub(lambda match: names[match[1]], source)
