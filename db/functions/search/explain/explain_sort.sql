-- Returns the step of shop.explain_search that shows how long it takes to sort the relevant products (those that pass
-- the cut). Returns no row if p_sort is null.
create or replace function shop_private.explain_sort(p_run shop_private.search_run, p_sort text)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    began constant timestamptz := clock_timestamp();
    note text;
begin
    if p_sort is not null then
        select s.note into note from shop_private.sorted_products((p_run.cut).product_ids, p_sort, null, 0, 1) s;
        return next row('sort', left(p_sort, 200), null, null, cardinality((p_run.cut).product_ids), null,
            extract(epoch from clock_timestamp() - began) * 1000,
            concat_ws('; ', 'sorts the products that pass the cut', 'warning: ' || note))
            ::shop.search_step;
    end if;
end $$;
