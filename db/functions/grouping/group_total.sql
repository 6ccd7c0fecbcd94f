-- Returns the number of groups of a search with group_by, and how exact this number is (total_is). The groups are
-- counted if the search has a cut, which keeps only relevant products, or if the number of products that pass the
-- filter is known exactly. Otherwise, and for groups of nearly equal images, `total` is 0, which is only a lower bound.
create or replace function shop_private.group_total(
    p_request shop_private.search_request, p_run shop_private.search_run, out total bigint, out total_is text
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    kept constant uuid[] := (p_run.cut).product_ids;
begin
    total := 0;
    total_is := 'at least';
    if p_request.group_by <> 'image' and (kept is not null or p_run.total_is = 'exact') then
        execute format('select count(distinct %1$s) + count(*) filter (where %1$s is null) from shop.product p
            where %2$s',
            (shop_private.group_field(p_request.group_by)).expression,
            case when kept is null then p_run.condition else 'p.product_id = any($1)' end)
        into total using kept;
        total_is := case when kept is null then 'exact' else (p_run.cut).total_is end;
    end if;
end $$;
