-- Puts the products p_product_ids into groups, and returns the first product of each group, in the order of
-- p_product_ids. `value` is the group's value of the field p_group_by, and `members` are the products of the group. A
-- product without a value is a group of its own. Without p_group_by, each product is a group. With p_group_by =>
-- 'image', products with nearly equal images are a group (see image_groups).
create or replace function shop_private.group_heads(p_product_ids uuid[], p_group_by text)
returns setof shop_private.product_group
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    keys text[];
begin
    if p_group_by = 'image' then
        keys := shop_private.image_groups(p_product_ids)::text[];
    elsif p_group_by is not null then
        execute format('select array_agg(%s order by u.n) from unnest($1) with ordinality as u(product_id, n)
            left join shop.product p on p.product_id = u.product_id',
            (shop_private.group_field(p_group_by)).expression)
        into keys using p_product_ids;
    end if;
    return query
    select row_number() over (order by min(u.n)), (array_agg(u.product_id order by u.n))[1],
        case when p_group_by <> 'image' then u.key end, array_agg(u.product_id order by u.n)
    from unnest(p_product_ids, keys) with ordinality as u(product_id, key, n)
    group by u.key, case when u.key is null then u.product_id end
    order by 1;
end $$;
