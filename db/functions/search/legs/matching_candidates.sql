-- Returns the candidates whose product meets a condition on p (shop.product). The function has no SET clause:
-- leg_from_starts calls it under its own settings.
create or replace function shop_private.matching_candidates(p_candidates shop_private.candidate[], p_condition text)
returns shop_private.candidate[]
language plpgsql stable as $$
declare
    matching shop_private.candidate[];
begin
    if p_condition = 'true' and not row_security_active('shop.product'::regclass) then
        return p_candidates;
    end if;
    execute format('select array_agg((c.product_id, c.position, c.distance)::shop_private.candidate)
        from unnest($1) c(product_id, "position", distance) join shop.product p on p.product_id = c.product_id
        where %s', p_condition) into matching using p_candidates;
    return matching;
end $$;
