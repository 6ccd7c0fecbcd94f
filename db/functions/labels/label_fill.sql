-- Stores the labelled vectors of some products: the copies of their vectors that the indexes of labels contain (see
-- label_store). The products are those whose vectors are in p_pages pages of the table <model>_<part> (p_part: image or
-- title), from page p_first on. The function first locks the products, in the order in which a load locks them. The
-- lock conflicts with the locks of work_complete, which stores new vectors. Without the lock, the copy of an old vector
-- could replace the copy of a new vector.
create or replace function shop_private.label_fill(
    p_model_id smallint, p_part text, p_first bigint, p_pages integer
) returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    vectors constant text := (select m.name from shop.model m where m.model_id = p_model_id) || '_' || p_part;
    products uuid[];
begin
    execute format('select array_agg(distinct v.product_id) from shop.%I v where v.ctid >= $1 and v.ctid < $2', vectors)
    into products using format('(%s,0)', p_first)::tid, format('(%s,0)', p_first + p_pages)::tid;
    perform from shop.product p where p.product_id = any(products) order by p.product_id for no key update;
    perform shop_private.label_store(p_model_id, p_part, products);
end $$;
