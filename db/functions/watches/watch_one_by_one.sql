-- Tests the pairs of each watch in a statement of its own. `passing` lists the pairs that pass as [watch_id,
-- product_id], or is null if none passes. `failing` has the watches whose filters fail, as {watch_id: error}.
-- watch_passing explains the arguments.
create or replace function shop_private.watch_one_by_one(
    p_watches integer[], p_products uuid[], p_alone integer[], p_all uuid[], out passing jsonb, out failing jsonb
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    one integer;
    found_pairs jsonb;
begin
    failing := '{}';
    for one in select distinct w from unnest(p_watches || p_alone) w order by w loop
        begin
            select jsonb_agg(jsonb_build_array(t.watch_id, t.product_id)) into found_pairs
            from (select array_agg(p.watch_id) as watches, array_agg(p.product_id) as products
                  from unnest(p_watches, p_products) p(watch_id, product_id) where p.watch_id = one) p,
                shop_private.watch_passing(p.watches, p.products,
                    case when one = any (p_alone) then array[one] else '{}' end, p_all) t;
            passing := coalesce(passing || found_pairs, passing, found_pairs);
        exception when others then
            if left(sqlstate, 2) in ('40', '53', '55', '57', '58', 'XX') then
                raise;
            end if;
            failing := failing || jsonb_build_object(one, sqlerrm);
        end;
    end loop;
end $$;
