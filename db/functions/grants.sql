-- Who may do what, whole: a golden test holds the result. Nothing is PUBLIC's.
revoke all on all functions in schema shop, shop_private from public;
revoke all on all procedures in schema shop, shop_private from public;

grant usage on schema shop to @analyst@, @app@, @encoder@;
grant usage on schema shop_private to @analyst@, @app@, @encoder@, @gateway@;
grant execute on function shop.schema_revision to @analyst@, @app@, @encoder@;

-- analyst: reads the shop, turns texts and pictures into vectors, writes nothing
grant select on shop.product, shop.product_image, shop.model, shop.searchable, shop.searchable_image, shop.coverage,
    shop.quarantine, shop.image_vector, shop.title_vector, shop.catalog, shop.calibration, shop.common_word, shop.tuning,
    shop.judgement, shop.evaluation, shop.evaluation_query, shop.event
    to @analyst@, @app@;
grant execute on function
    shop.clip_text, shop.clip_image, shop.product_vector, shop.product_id, shop_private.coverage,
    shop_private.work_quarantined
    to @analyst@, @app@;
grant execute on function
    shop.filter_sql, shop_private.filter_condition, shop_private.filter_group, shop_private.filter_kind, shop_private.filter_test, shop_private.filter_column, shop_private.filter_attribute, shop_private.filter_value, shop_private.filter_items, shop_private.filter_pattern, shop_private.filter_shown, shop_private.filter_either,
    shop.search, shop.similar, shop.explain_search, shop.relevance_floor, shop_private.serving, shop_private.catalog_condition, shop_private.row_estimate,
    shop_private.hnsw_index, shop_private.search_settings, shop_private.search_route, shop_private.hnsw_leg, shop_private.exact_leg, shop_private.rows_read, shop_private.search_leg, shop_private.nearest_sql,
    shop_private.keyword_leg, shop_private.query_vectors, shop_private.query_inputs, shop_private.base64_picture,
    shop_private.raw_vector, shop_private.search_run, shop_private.search_fuse, shop_private.search_cursor
    to @analyst@, @app@;

-- app: what the loader and the web service do
grant insert, update, delete on shop.product, shop.product_image to @app@;
grant execute on function
    shop.upsert_staged, shop.set_language, shop.calibrate, shop_private.image_root_id, shop_private.keywords
    to @app@;
grant select on shop.popular_queries, shop.no_result_queries to @app@;
grant insert, update, delete on shop.tuning, shop.judgement, shop.evaluation, shop.evaluation_query, shop.event to @app@;

-- encoder: works through functions only
grant select on shop.model to @encoder@;
grant execute on function
    shop_private.work_claim, shop_private.work_complete, shop_private.image_seen, shop_private.work_fail,
    shop_private.work_retry, shop_private.work_outstanding, shop_private.worker_heartbeat, shop_private.worker_release, shop_private.request_claim,
    shop_private.request_answer, shop_private.request_refuse, shop_private.housekeep
    to @encoder@;
grant select on shop.coverage, shop.quarantine to @encoder@;
grant execute on function shop_private.coverage, shop_private.work_quarantined to @encoder@;

-- gateway: the loopback connection; its procedure runs with these rights and no others
grant select on shop_private.query_embedding to @gateway@;
grant select, insert, update, delete on shop_private.request to @gateway@;
grant execute on procedure shop_private.gateway_encode to @gateway@;
