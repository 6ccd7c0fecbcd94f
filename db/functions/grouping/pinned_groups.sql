-- Returns the groups of products as group_heads does, with the group of each pinned product p_pins[n] at the place
-- p_places[n]. The other groups keep their order and fill the other places. In p_product_ids, a pinned product must
-- come before the other products of its group, so that it is the first of them. If several pinned products are in one
-- group, the group gets the place of the first of them. A pinned group moves up if there are too few groups to fill the
-- places before it.
create or replace function shop_private.pinned_groups(
    p_product_ids uuid[], p_group_by text, p_pins uuid[], p_places bigint[]
)
returns setof shop_private.product_group
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
begin
    if p_pins = '{}' then
        return query select g.* from shop_private.group_heads(p_product_ids, p_group_by) g;
        return;
    end if;
    return query
    with head as materialized (
        select g.*, u.place as pinned
        from shop_private.group_heads(p_product_ids, p_group_by) g
        left join unnest(p_pins, p_places) u(product_id, place) on u.product_id = g.product_id
    ), free as (
        select f.place, row_number() over (order by f.place) as n
        from generate_series(1, (select count(*) from head) + cardinality(p_pins)) f(place)
        where f.place not in (select h.pinned from head h where h.pinned is not null)
    ), rest as (
        select h.product_id, row_number() over (order by h.place) as n from head h where h.pinned is null
    )
    select row_number() over (order by coalesce(h.pinned, f.place)), h.product_id, h.value, h.members
    from head h left join rest r on r.product_id = h.product_id left join free f on f.n = r.n
    order by 1;
end $$;
