-- Tests the pairs of each watch in a statement of its own, and disables the watches whose filters fail. Returns the
-- pairs that pass, as a list of [watch_id, product_id], or null. watch_passing explains the arguments.
create or replace function shop_private.watch_one_by_one(
    p_watches integer[], p_products uuid[], p_alone integer[], p_all uuid[]
)
returns jsonb
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    one integer;
    found_pairs jsonb;
    passing jsonb := '[]';
begin
    for one in select distinct w from unnest(p_watches || p_alone) w order by w loop
        begin
            select jsonb_agg(jsonb_build_array(t.watch_id, t.product_id)) into found_pairs
            from (select array_agg(p.watch_id) as watches, array_agg(p.product_id) as products
                  from unnest(p_watches, p_products) p(watch_id, product_id) where p.watch_id = one) p,
                shop_private.watch_passing(p.watches, p.products,
                    case when one = any (p_alone) then array[one] else '{}' end, p_all) t;
            passing := passing || coalesce(found_pairs, '[]');
        exception when others then
            if left(sqlstate, 2) in ('40', '53', '55', '57', '58', 'XX') then
                raise;
            end if;
            perform shop_private.watch_disable(one, 'the filter fails: ' || sqlerrm);
        end;
    end loop;
    return nullif(passing, '[]');
end $$;
