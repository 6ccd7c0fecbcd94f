-- Groups products whose first images are nearly equal. p_product_ids is in the order of the ranking. The result has,
-- for each product, the first product of its group. This is the first earlier product that begins a group and has a
-- nearly equal image. If there is no such product, the product itself begins a group. Two images are nearly equal if
-- their perceptual hashes differ in few bits and their vectors are close; both thresholds are those of shop.matches. A
-- flat image (see match_candidates), or an image without a hash or a vector, counts as nearly equal to no other image.
-- Because every pair is compared, only the first @max_results@ products take part; each further product is a group of
-- its own.
create or replace function shop_private.image_groups(p_product_ids uuid[])
returns uuid[]
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    thresholds constant record := shop_private.match_thresholds();
    heads uuid[] := p_product_ids;
    pair record;
    head uuid;
begin
    for pair in
        with image as materialized (
            select u.n, u.product_id, i.phash, v.embedding
            from unnest(p_product_ids[:@max_results@]) with ordinality as u(product_id, n)
            join shop.product_image i on i.product_id = u.product_id and i.position = 0
            join shop.image_vector v on v.product_id = u.product_id and v.position = 0
            where bit_count(i.phash) between @match_phash_min_bits@ and 64 - @match_phash_min_bits@
        )
        select b.n, array_agg(a.n order by a.n) as before
        from image b join image a on a.n < b.n and case when bit_count(a.phash # b.phash) <= thresholds.phash
            then a.embedding operator(@vector@.<=>) b.embedding <= thresholds.image end
        group by b.n order by b.n
    loop
        select heads[u.n] into head from unnest(pair.before) u(n)
        where heads[u.n] = p_product_ids[u.n] order by u.n limit 1;
        heads[pair.n] := coalesce(head, heads[pair.n]);
    end loop;
    return heads;
end $$;
