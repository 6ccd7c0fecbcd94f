-- Returns a subquery for match_candidates. The subquery finds the products nearest to product m by image or title
-- vector (p_part). With p_by_index, the subquery reads the HNSW index and keeps the products that meet p_theirs.
-- Without p_by_index, the subquery reads the rows of `theirs`, a WITH query of match_candidates. The subquery returns
-- up to $1 + 1 products, because product m itself can be among them.
create or replace function shop_private.nearest_others(p_part text, p_theirs text, p_by_index boolean)
returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if p_by_index then
        return format('select t.product_id, t.embedding operator(@vector@.<=>) m.%1$I as distance
            from shop.%1$I t join shop.product p on p.product_id = t.product_id
            where t.position = 0 and %2$s
            order by t.embedding operator(@vector@.<=>) m.%1$I limit $1 + 1', p_part || '_vector', p_theirs);
    end if;
    return format('select t.product_id, t.%1$I operator(@vector@.<=>) m.%1$I as distance
        from theirs t where t.%1$I is not null
        order by t.%1$I operator(@vector@.<=>) m.%1$I limit $1 + 1', p_part || '_vector');
end $$;
