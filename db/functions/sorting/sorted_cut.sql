-- Returns the products that pass the cut of a run (the state of one search), and those that the query's text names. The
-- cut keeps the products that are relevant to the query. With the option `sort`, min_similarity and max_gap exclude
-- products by the distance of their nearest image. Products without an encoded image are then excluded too. Without
-- `sort`, fuse_legs applies both limits to the products that the rankings by image, title and keyword found.
create or replace function shop_private.sorted_cut(
    p_request shop_private.search_request, p_run shop_private.search_run
)
returns uuid[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    kept constant uuid[] := shop_private.cut_with_exact((p_run.cut).product_ids, p_run.exact);
    query_vector constant @vector@.halfvec := p_run.image_vector;
begin
    if p_request.sort is null or query_vector is null or num_nonnulls(p_request.min_similarity, p_request.max_gap) = 0
    then
        return kept;
    end if;
    return array(
        select n.product_id
        from (
            select i.product_id, min(i.embedding operator(@vector@.<=>) query_vector) as distance,
                min(min(i.embedding operator(@vector@.<=>) query_vector)) over () as best
            from shop.image_vector i where i.product_id = any(kept) group by i.product_id) n
        where n.distance <= least(2, 1 - p_request.min_similarity, n.best + p_request.max_gap));
end $$;
