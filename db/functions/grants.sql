-- Grants the rights of all roles, which tests/security/grants.golden.txt lists. PUBLIC may execute no function or
-- procedure of the schemas shop and shop_private.
revoke all on all functions in schema shop, shop_private from public;
revoke all on all procedures in schema shop, shop_private from public;

grant usage on schema shop to @analyst@, @app@, @encoder@;
grant usage on schema shop_private to @analyst@, @app@, @encoder@, @gateway@;
grant execute on function shop.schema_revision, shop_private.oldest_code to @analyst@, @app@, @encoder@;

-- analyst: this role reads the shop, turns texts and images into vectors, and writes nothing
grant select on shop.product, shop.product_image, shop.model, shop.searchable, shop.searchable_image, shop.coverage,
    shop.quarantine, shop.failing_host, shop.image_vector, shop.title_vector, shop.catalog, shop.calibration,
    shop.common_word,
    shop.tuning, shop.judgement, shop.evaluation, shop.evaluation_query, shop.event, shop.model_coverage,
    shop.serving_history, shop.deferred_index, shop.synonym, shop.watch, shop.watch_match,
    shop.label_index
    to @analyst@, @app@;
grant execute on function
    shop.clip_text, shop.clip_image, shop.product_vector, shop.product_id, shop_private.coverage,
    shop_private.model_coverage, shop_private.warm_pages, shop_private.calibration_figures,
    shop_private.fitted_numbers, shop_private.text_vector
    to @analyst@, @app@;
-- The names and weights of all signals are no secret, but their values are secret.
grant select (name, source, value_column, key, catalog, normalise, half_life, weight, visible, defined_by, refreshed_at,
    created_at) on shop.signal to @analyst@;
grant select on shop.signal to @app@;
grant insert, delete, update (weight, visible, bounds, refreshed_at) on shop.signal to @app@;
grant select on shop.rule to @analyst@, @app@;
grant insert, update, delete on shop.rule to @app@;
grant select on shop.popularity to @analyst@, @app@;
grant insert, update, delete on shop.popularity to @app@;
grant usage on schema shop_signals to @analyst@, @app@;
grant create on schema shop_signals to @app@;
grant execute on function shop.signal_state to @analyst@, @app@;
grant execute on function shop.add_signal, shop.drop_signal, shop.refresh_signals to @app@;
-- The views of coverage, quarantine and failing hosts read these columns with the rights of the caller, so that row
-- level security applies to them.
grant select (product_id, model_id, part, position, state, error, host) on shop_private.work to @analyst@, @app@;
grant select (host, failing_since, paused_until, error) on shop_private.fetch_host to @analyst@, @app@;
grant execute on function
    shop.search, shop.similar, shop.highlights, shop.explain_search, shop.facets, shop.browse, shop.filter_sql,
    shop.relevance_floor, shop.effective_price, shop.suggest, shop.zero_shot, shop.match_products, shop.matches,
    shop.match_f1, shop.submission
    to @analyst@, @app@;

-- The public functions call private functions. A private function that only reads, with the rights of its caller, adds
-- no rights to a role, so the roles analyst and app may execute every such function.
do $$
declare
    helper regprocedure;
begin
    for helper in select p.oid from pg_proc p where p.pronamespace = 'shop_private'::regnamespace and p.prokind = 'f'
        and not p.prosecdef and p.provolatile in ('s', 'i') loop
        execute format('grant execute on function %s to @analyst@, @app@', helper);
    end loop;
end $$;

-- app: the loader, the jobs and the web service write the shop with this role
grant insert, update, delete on shop.product, shop.product_image to @app@;
grant insert, update, delete on shop.catalog, shop.blocked_suggestion to @app@;
grant delete on shop.watch, shop.watch_match to @app@;
grant insert (name, query, image, filter, catalog, min_similarity), select (watch_id) on shop_private.new_watch
    to @app@;
grant execute on function
    shop.upsert_staged, shop.set_language, shop.refresh_suggestions, shop.calibrate,
    shop.calibrate_zero_shot, shop.calibrate_matching,
    shop_private.upsert_staged_images, shop_private.lock_image_work, shop_private.compare_tags,
    shop_private.fit_temperature, shop_private.confidence_measures, shop_private.sample_groups,
    shop_private.fit_thresholds, shop_private.trial_f1, shop_private.image_root_id, shop_private.api_key_use,
    shop_private.idempotency_claim, shop_private.idempotency_end, shop_private.delete_filtered,
    shop_private.salt_of_day, shop_private.model_vector, shop_private.calibration_step, shop.watch, shop.unwatch,
    shop_private.watch_lock, shop_private.work_retry
    to @app@;
grant execute on function shop.what_if, shop_private.somebody_waits, shop_private.encode_texts,
    shop_private.apply_change, shop_private.change_products, shop_private.new_texts
    to @app@;
grant execute on function shop_private.api_key_find, shop_private.image_folder, shop_private.encoder_reached
    to @web_reader@, @app@;
-- Row level security hides shop.suggestion from a role that does not see every product.
grant select on shop.suggestion, shop.blocked_suggestion to @analyst@, @app@;
grant select (beat_at) on shop_private.primary_heartbeat to @analyst@, @app@;
grant execute on function shop_private.primary_beat to @app@;
grant select on shop.popular_queries, shop.no_result_queries to @app@;
grant insert, update, delete on shop.synonym, shop.tuning, shop.judgement, shop.evaluation, shop.evaluation_query,
    shop.event to @app@;

-- encoder: this role writes through functions only
grant select on shop.model to @encoder@;
grant execute on function
    shop_private.work_claim, shop_private.work_begin, shop_private.work_idle, shop_private.work_again,
    shop_private.work_complete, shop_private.fetch_claim, shop_private.fetch_failed, shop_private.fetch_answered,
    shop_private.fetch_return, shop_private.known_vectors, shop_private.record_image_metadata, shop_private.work_fail,
    shop_private.work_retry, shop_private.work_outstanding, shop_private.worker_heartbeat,
    shop_private.worker_release, shop_private.request_claim, shop_private.request_answer, shop_private.request_refuse,
    shop_private.request_traces,
    shop_private.query_lane_beat, shop_private.housekeep, shop_private.work_backlog
    to @encoder@;
grant insert (model_id, catalog, host, sku), select (items) on shop_private.work_retries to @app@, @encoder@;
revoke select on shop.coverage, shop.quarantine, shop.failing_host from @encoder@;
revoke execute on function shop_private.coverage from @encoder@;
revoke execute on function shop_private.failing_hosts from @analyst@, @app@;
grant execute on function shop_private.failing_hosts to @encoder@;

-- jobs: this role has the rights of app, runs the jobs, and deletes old rows through functions
grant select, update (due_at, ended_at, exit_code, report) on shop_private.feed to @jobs@;
grant execute on function
    shop_private.delete_old_events, shop_private.delete_old_queries, shop_private.delete_old_salts,
    shop_private.take_up_jobs
    to @jobs@;
grant select, update (delivered_at, disabled_at, error) on shop_private.webhook to @jobs@;
grant select, update (attempts, due_at), delete on shop_private.webhook_message to @jobs@;
grant execute on function shop_private.webhook_messages to @jobs@;
grant usage on schema shop_jobs to @jobs@;
grant select, insert, update, delete on all tables in schema shop_jobs to @jobs@;
grant usage on all sequences in schema shop_jobs to @jobs@;
grant execute on all functions in schema shop_jobs to @jobs@;

-- gateway: the role of the loopback connection. gateway_encode runs with these rights only.
grant select on shop_private.query_embedding to @gateway@;
grant select, insert, update, delete on shop_private.request to @gateway@;
grant execute on procedure shop_private.gateway_encode to @gateway@;
grant execute on function
    shop_private.encoder_alive, shop_private.encoder_reported, shop_private.encoder_state to @gateway@;
