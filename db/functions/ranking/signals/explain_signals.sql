-- Returns a row of shop.explain_search for each signal that ranks the search and that the caller may see: its weight,
-- and the number of candidates whose value is not 0. Each of these rows has the time of the fusion and of all signals
-- together. The route 'not read' marks a signal that could not be read, and the note says why. If p_product_id is a
-- candidate, further rows show what the signals add to its score, or that a signal was not read.
--
-- For each role that has defined signals, those of its signals that the caller may not see share one row, 'other
-- signals'. If the signals of a role cannot be read, the role has only one row: 'other signals', with the route 'not
-- read'.
create or replace function shop_private.explain_signals(p_run shop_private.search_run, p_product_id uuid, p_sku text)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    began constant timestamptz := clock_timestamp();
    unit constant double precision :=
        case when (p_run.change).ms is not null then 1 else 1.0 / (p_run.rrf_k + 1) end;
    run shop_private.search_run := p_run;
    candidates uuid[];
    parts shop_private.signal_part[];
    own integer;  -- the place of the product among the candidates
begin
    if (p_run.ranking).active is not true then
        return;
    end if;
    run.ranking := null;
    candidates := array(select f.product_id from shop_private.fuse_legs(run, null, null) f
        where f.place <= case when (p_run.change).ms is not null then @signal_candidates@ else p_run.depth end
        order by f.place);
    parts := array(select p from shop_private.signal_parts(
        candidates, (p_run.ranking).signals, (p_run.ranking).rules) p);
    return query
    select coalesce('signal ' || p.name, 'other signals'), case when p.problem is not null then 'not read' end,
        null::text, null::integer, p.found, cardinality(candidates)::bigint,
        extract(epoch from clock_timestamp() - began)::double precision * 1000,
        concat_ws('; ', 'weight ' || p.weight, 'warning: ' || p.problem)
    from unnest(parts) p;
    own := array_position(candidates, p_product_id);
    return query
    select format('sku %s, %s', p_sku, coalesce('signal ' || p.name, 'other signals')),
        case when p.problem is not null then 'not read' end, null::text, null::integer, 1, null::bigint,
        null::double precision, coalesce('adds nothing, because it was not read: ' || p.problem,
            format('adds %s', round((unit * coalesce(p.contributions[own], 0))::numeric, 5)))
    from unnest(parts) p where own is not null;
end $$;
