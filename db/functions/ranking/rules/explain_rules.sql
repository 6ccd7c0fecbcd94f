-- Returns the step of shop.explain_search that names the rules that act on a search. If rules with a `similar`
-- condition were left out, the step also says why. Returns no row if no rule acts and none was left out.
create or replace function shop_private.explain_rules(p_run shop_private.search_run)
returns setof shop.search_step
language sql stable set search_path = pg_catalog, pg_temp as $$
    select 'rules', null::text, null::text, null::integer, coalesce(cardinality((p_run.ranking).names), 0),
        null::bigint, null::double precision,
        concat_ws('; ', array_to_string((p_run.ranking).names, ', '),
            'warning: rules with the condition similar do not apply, because ' || (p_run.ranking).unmet)
    where num_nonnulls((p_run.ranking).names, (p_run.ranking).unmet) > 0
$$;
