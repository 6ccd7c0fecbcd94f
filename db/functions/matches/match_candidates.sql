-- Returns pairs of products that may be the same, with their distances. Product a meets p_mine, and product b meets
-- p_theirs; both are SQL conditions on a row p of shop.product. A product b is a candidate for a in three cases:
--   (1) b is one of the p_k products nearest to a by first image, at a distance of at most p_image;
--   (2) b is one of the p_k products nearest to a by title, at a distance of at most p_title;
--   (3) b is one of at most p_k products whose first image has the same perceptual hash as the first image of a.
-- p_image and p_title are cosine distances. A null p_image excludes case (1); a null p_title excludes case (2).
--
-- If at most @match_exact_products@ products meet p_theirs, a is compared with each of them. Otherwise the indexes of
-- the vectors find the nearest products; hnsw.max_scan_tuples or ivfflat.max_probes then limits the scan for each
-- product a, even if the scan has found fewer than p_k products that meet p_theirs. Sorting is disabled, because a plan
-- with a sort would not use these indexes.
--
-- In two cases, neither the perceptual hash nor the vector of the first image of product a is compared:
--   (1) the image is flat: of the 64 bits of the hash, fewer than @match_phash_min_bits@ are set or fewer than
--       @match_phash_min_bits@ are unset (an image with detail sets about 32 bits);
--   (2) more than @match_shared_images@ products that meet p_theirs have a first image with this hash. Such an image
--       is probably a placeholder for "no image".
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
set ivfflat.iterative_scan = relaxed_order
set ivfflat.max_probes = @bit_lists@
set ivfflat.probes = @bit_walk_lists@
as $$
declare
    others integer;
    by_index boolean;
    settings shop_private.search_settings;
begin
    execute format('select count(*) from (select from shop.product p where %s limit @match_exact_products@ + 1) m',
        p_theirs) into others;
    by_index := others > @match_exact_products@;
    if by_index and (shop_private.serving()).model_id is not null then
        settings := shop_private.search_settings();
    end if;
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
        where pair.a <> pair.b', p_mine, p_theirs,
        shop_private.nearest_others('image', p_theirs, by_index, settings.image_bits),
        shop_private.nearest_others('title', p_theirs, by_index, settings.title_bits))
    using p_k, p_image, p_title;
end $$;
