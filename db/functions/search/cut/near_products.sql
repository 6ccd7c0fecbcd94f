-- Returns the products that meet p_condition, a condition on p (shop.product), and have an image or a title (p_part)
-- with at least the cosine similarity p_floor to the query. p_matched lists the products that meet the condition, or is
-- null if these were not collected. If p_by_index is true, an index finds the products (see near_by_index). p_bits is
-- the dimension of an index over bits, and null for an index over vectors. If p_by_index is false, the function
-- compares every product that meets the condition, and `complete` is true.
create or replace function shop_private.near_products(
    p_part text, p_bits integer, p_vector @vector@.halfvec, p_floor double precision, p_condition text,
    p_matched uuid[], p_by_index boolean, p_stop_margin double precision, out product_ids uuid[], out complete boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set plan_cache_mode = force_generic_plan
set jit = off
as $$
begin
    complete := true;
    if p_by_index then
        select n.product_ids, n.complete into product_ids, complete from shop_private.near_by_index(
            p_part, p_bits, p_vector, p_floor, p_condition, p_stop_margin, @cut_most_products@) n;
    elsif p_matched is null then
        execute format('select array_agg(distinct i.product_id)
            from (select i.product_id from shop.%I i where i.embedding operator(@vector@.<=>) $1 <= $2 offset 0) i
            join shop.product p on p.product_id = i.product_id where %s', p_part || '_vector', p_condition)
        into product_ids using p_vector, 1 - p_floor;
    elsif p_part = 'image' then
        select array_agg(distinct i.product_id) into product_ids from shop.image_vector i
        where i.product_id = any(p_matched) and i.embedding operator(@vector@.<=>) p_vector <= 1 - p_floor;
    else
        select array_agg(t.product_id) into product_ids from shop.title_vector t
        where t.product_id = any(p_matched) and t.embedding operator(@vector@.<=>) p_vector <= 1 - p_floor;
    end if;
    product_ids := coalesce(product_ids, '{}');
end $$;
