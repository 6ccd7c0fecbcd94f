-- Returns a row for each signal: where its number comes from, its weight, and why it cannot be read at present. A
-- signal with a problem contributes nothing to searches. A view may fail only for some products, so the function reads
-- each signal for up to @signal_state_products@ products. Each call begins at a random product. A caller without the
-- rights of the role app sees only the signals that are visible to all.
create or replace function shop.signal_state()
returns table (
    name text, source text, normalise text, weight double precision, visible text, defined_by text,
    refreshed_at timestamptz, problem text
)
language plpgsql volatile rows 20 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    staff constant boolean := shop_private.is_staff();
    asked constant jsonb := (select jsonb_object_agg(s.name, 1) from shop.signal s where s.visible = 'all' or staff);
    first constant uuid := gen_random_uuid();
    products constant uuid[] := array(
        (select p.product_id from shop.product p where p.product_id >= first
            order by p.product_id limit @signal_state_products@)
        union all
        (select p.product_id from shop.product p where p.product_id < first
            order by p.product_id limit @signal_state_products@)
        limit @signal_state_products@);
    parts constant shop_private.signal_part[] := array(
        select p from shop_private.signal_parts(coalesce(nullif(products, '{}'),
            array['00000000-0000-0000-0000-000000000000'::uuid]), asked, null) p);
begin
    return query
    select s.name, s.source, s.normalise, s.weight, s.visible, s.defined_by, s.refreshed_at,
        case when s.defined_by is not null and p.name is null
            then coalesce((select max(u.problem) from unnest(parts) u where u.name is null and u.problem is not null),
                'the signal was not read')
            else p.problem end
    from shop.signal s
    left join unnest(parts) p on p.name = s.name
    where s.visible = 'all' or staff
    order by s.name;
end $$;
