-- Returns a subquery for match_candidates. The subquery finds the products nearest to product m by image or title
-- vector (p_part). If p_by_index is true, the subquery reads a vector index and keeps the products that meet the
-- condition p_theirs; p_bits says what the index stores (see scan_order). Otherwise the subquery reads the rows of
-- `theirs`, a WITH query of match_candidates. $1 is p_k of match_candidates. The subquery returns up to $1 + 1
-- products, because product m itself can be among them.
create or replace function shop_private.nearest_others(
    p_part text, p_theirs text, p_by_index boolean, p_bits integer
)
returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if p_by_index then
        return format('select c.product_id, c.distance from (
                select i.product_id, i.embedding operator(@vector@.<=>) m.%1$I as distance
                from shop.%1$I i join shop.product p on p.product_id = i.product_id
                where i.position = 0 and %2$s
                order by %3$s limit %4$s) c
            order by c.distance limit $1 + 1', p_part || '_vector', p_theirs,
            shop_private.scan_order(p_bits, format('m.%I', p_part || '_vector')),
            case when p_bits is null then '$1 + 1' else '@bit_match_factor@ * ($1 + 1)' end);
    end if;
    return format('select t.product_id, t.%1$I operator(@vector@.<=>) m.%1$I as distance
        from theirs t where t.%1$I is not null
        order by t.%1$I operator(@vector@.<=>) m.%1$I limit $1 + 1', p_part || '_vector');
end $$;
