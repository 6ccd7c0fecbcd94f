-- Returns pairs of products that may be the same, with their distances: product a meets p_mine, product b meets
-- p_theirs (both are conditions on p, shop.product). A product b is a candidate for a in three cases: it is among the
-- p_k nearest by first image and at most p_image away; it is among the p_k nearest by title and at most p_title away;
-- or it is one of p_k products with the same perceptual hash.
--
-- If at most @match_exact_products@ products meet p_theirs, a is compared with each of these products. If more products
-- meet it, the HNSW indexes find the nearest products. hnsw.max_scan_tuples then limits the scan for one product, even
-- if few products meet p_theirs. A plan that sorts would compare all products, so sorting is disabled.
--
-- An image identifies no product, by hash or by vector, if it is flat (a perceptual hash sets 32 of its 64 bits if the
-- image has detail, otherwise fewer) or if more than @match_shared_images@ products show it, such as "no image yet".
create or replace function shop_private.match_candidates(
    p_mine text, p_theirs text, p_k integer, p_image double precision, p_title double precision
)
returns table (
    a uuid, b uuid, phash_distance integer, image_distance real, title_distance real, trigram_similarity real,
    title_length integer
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_sort = off
set hnsw.ef_search = 100
set hnsw.iterative_scan = relaxed_order
set hnsw.max_scan_tuples = @match_scan_tuples@
as $$
declare
    others integer;
    by_index boolean;
begin
    execute format('select count(*) from (select from shop.product p where %s limit @match_exact_products@ + 1) m',
        p_theirs) into others;
    by_index := others > @match_exact_products@;
    return query execute format(
        'with theirs as materialized (
            select p.product_id, i.embedding as image_vector, t.embedding as title_vector
            from shop.product p
            left join shop.image_vector i on i.product_id = p.product_id and i.position = 0
            left join shop.title_vector t on t.product_id = p.product_id
            where %2$s
        ), mine as materialized (
            select p.product_id, p.title, case when f.is_telling then f.phash end as phash,
                case when f.is_telling is not false then i.embedding end as image_vector, t.embedding as title_vector
            from shop.product p
            left join shop.image_vector i on i.product_id = p.product_id and i.position = 0
            left join shop.title_vector t on t.product_id = p.product_id
            left join lateral (
                select f.phash,
                    bit_count(f.phash) between @match_phash_min_bits@ and 64 - @match_phash_min_bits@ and (
                        select count(*) from (
                            select from shop.product_image o join shop.product p on p.product_id = o.product_id
                            where o.phash = f.phash and o.position = 0 and %2$s limit @match_shared_images@ + 1) o
                        ) <= @match_shared_images@ as is_telling
                from shop.product_image f where f.product_id = p.product_id and f.position = 0) f on true
            where %1$s
        ), pair as (
            select m.product_id as a, n.product_id as b
            from mine m cross join lateral (%3$s) n
            where m.image_vector is not null and n.distance <= $2
            union
            select m.product_id, n.product_id
            from mine m cross join lateral (%4$s) n
            where m.title_vector is not null and n.distance <= $3
            union
            select m.product_id, n.product_id
            from mine m cross join lateral (
                select p.product_id from shop.product_image f join shop.product p on p.product_id = f.product_id
                where f.phash = m.phash and f.position = 0 and %2$s limit $1 + 1) n
        )
        select m.product_id, p.product_id, bit_count(m.phash # f.phash)::integer,
            (m.image_vector operator(@vector@.<=>) i.embedding)::real,
            (m.title_vector operator(@vector@.<=>) t.embedding)::real,
            @trgm@.similarity(m.title, p.title), least(octet_length(m.title), octet_length(p.title))
        from pair
        join mine m on m.product_id = pair.a
        join shop.product p on p.product_id = pair.b
        left join shop.image_vector i on i.product_id = p.product_id and i.position = 0
        left join shop.title_vector t on t.product_id = p.product_id
        left join shop.product_image f on f.product_id = p.product_id and f.position = 0
        where pair.a <> pair.b', p_mine, p_theirs, shop_private.nearest_others('image', p_theirs, by_index),
        shop_private.nearest_others('title', p_theirs, by_index))
    using p_k, p_image, p_title;
end $$;
