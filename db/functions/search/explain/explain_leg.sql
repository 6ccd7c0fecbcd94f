-- Returns the step of shop.explain_search that describes a leg. p_name is image, title or keyword.
create or replace function shop_private.explain_leg(
    p_name text, p_leg shop_private.leg, p_weight double precision, p_depth integer
)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    return query select p_name, case when p_weight = 0 then 'left out' else p_leg.route end, p_leg.index_name,
        p_leg.ef_search, coalesce(cardinality(p_leg.product_ids), 0), p_leg.rows_examined, p_leg.ms,
        concat_ws('; ', format('weight %s, depth %s', p_weight, p_depth), p_leg.reason);
end $$;
