-- Pairs of products that may be the same, with their distances: for each product that meets p_mine, those of its p_k
-- nearest that are no farther than p_image by their first pictures, or than p_title by their titles, and p_k with an
-- equal perceptual hash, out of those that meet p_theirs (conditions on p, shop.product).
--
-- Up to 2,000 products are compared one by one. More are looked up in the HNSW indexes, which look at no more than
-- hnsw.max_scan_tuples for one product, however few meet p_theirs; a plan that sorts instead would look at all of them.
--
-- A picture says nothing, by hash or by vector, when it is flat (a perceptual hash sets 32 of its 64 bits; without
-- detail it sets few) or when more than 50 products show it, as they show "no picture yet".
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
set hnsw.max_scan_tuples = 2000
as $$
declare
    others integer;
    by_picture text := 'theirs t where t.vector is not null order by';  -- products and the distance they are ordered by
    by_title text := 'theirs t where t.title_vector is not null order by';
    picture_distance text := 't.vector operator(@vector@.<=>) m.vector';
    title_distance text := 't.title_vector operator(@vector@.<=>) m.title_vector';
begin
    execute format('select count(*) from (select from shop.product p where %s limit 2001) m', p_theirs) into others;
    if others > 2000 then
        by_picture := format('shop.image_vector t join shop.product p on p.product_id = t.product_id
            where t.position = 0 and %s order by', p_theirs);
        by_title := format('shop.title_vector t join shop.product p on p.product_id = t.product_id
            where %s order by', p_theirs);
        picture_distance := 't.embedding operator(@vector@.<=>) m.vector';
        title_distance := 't.embedding operator(@vector@.<=>) m.title_vector';
    end if;
    return query execute format(
        'with theirs as materialized (
            select p.product_id, i.embedding as vector, t.embedding as title_vector
            from shop.product p
            left join shop.image_vector i on i.product_id = p.product_id and i.position = 0
            left join shop.title_vector t on t.product_id = p.product_id
            where %2$s
        ), mine as materialized (
            select p.product_id, p.title, case when f.is_telling then f.phash end as phash,
                case when f.is_telling is not false then i.embedding end as vector, t.embedding as title_vector
            from shop.product p
            left join shop.image_vector i on i.product_id = p.product_id and i.position = 0
            left join shop.title_vector t on t.product_id = p.product_id
            left join lateral (
                select f.phash, bit_count(f.phash) between 16 and 48 and (
                    select count(*) from (
                        select from shop.product_image o join shop.product p on p.product_id = o.product_id
                        where o.phash = f.phash and o.position = 0 and %2$s limit 51) o) <= 50 as is_telling
                from shop.product_image f where f.product_id = p.product_id and f.position = 0) f on true
            where %1$s
        ), pair as (
            select m.product_id as a, n.product_id as b
            from mine m cross join lateral (select t.product_id, %4$s as distance from %3$s %4$s limit $1 + 1) n
            where m.vector is not null and n.distance <= $2
            union
            select m.product_id, n.product_id
            from mine m cross join lateral (select t.product_id, %6$s as distance from %5$s %6$s limit $1 + 1) n
            where m.title_vector is not null and n.distance <= $3
            union
            select m.product_id, n.product_id
            from mine m cross join lateral (
                select p.product_id from shop.product_image f join shop.product p on p.product_id = f.product_id
                where f.phash = m.phash and f.position = 0 and %2$s limit $1 + 1) n
        )
        select m.product_id, p.product_id, bit_count(m.phash # f.phash)::integer,
            (m.vector operator(@vector@.<=>) i.embedding)::real,
            (m.title_vector operator(@vector@.<=>) t.embedding)::real,
            @trgm@.similarity(m.title, p.title), least(octet_length(m.title), octet_length(p.title))
        from pair
        join mine m on m.product_id = pair.a
        join shop.product p on p.product_id = pair.b
        left join shop.image_vector i on i.product_id = p.product_id and i.position = 0
        left join shop.title_vector t on t.product_id = p.product_id
        left join shop.product_image f on f.product_id = p.product_id and f.position = 0
        where pair.a <> pair.b', p_mine, p_theirs, by_picture, picture_distance, by_title, title_distance)
    using p_k, p_image, p_title;
end $$;
