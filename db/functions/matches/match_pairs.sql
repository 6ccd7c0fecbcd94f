-- Returns the candidate pairs (see match_candidates) that score at least p_min_score. p_max_distance excludes pairs
-- whose images are farther apart or cannot be compared; null sets no limit. `evidence` lists those of the signals
-- phash, image and title whose closeness (see match_score) is 0.25 or more. match_candidates explains the other
-- parameters.
--
-- In each returned pair, the images or the titles add at least half of the score. So the function requests only pairs
-- in which the images or the titles are likely to reach half of p_min_score: pairs with equal hashes, and pairs whose
-- image vectors or title vectors are near enough for a closeness of half of p_min_score.
create or replace function shop_private.match_pairs(
    p_mine text, p_theirs text, p_k integer, p_min_score double precision, p_max_distance double precision
)
returns table (
    a uuid, b uuid, phash_distance integer, image_distance real, title_distance real, trigram_similarity real,
    score real, evidence text
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
    t constant record := shop_private.match_thresholds();
    -- the distance at which the closeness is half of p_min_score, as a multiple of the distance's threshold
    reach constant double precision := 2 - p_min_score / 2;
begin
    if p_k is null or p_k not between 1 and 200 then
        raise exception using errcode = '22023', message = format('k is %s', coalesce(p_k::text, 'null')),
            hint = 'k is the number of nearest products that are compared with each product: from 1 to 200.';
    end if;
    if p_min_score is null or not p_min_score between 0.5 and 4 then
        raise exception using errcode = '22023',
            message = format('min_score is %s', coalesce(p_min_score::text, 'null')),
            hint = 'min_score is from 0.5 to 4: 1 is a match; a lower value includes pairs that nearly match.';
    end if;
    if not p_max_distance between 0 and 2 then
        raise exception using errcode = '22023', message = format('max_distance is %s', p_max_distance),
            hint = 'max_distance limits the distance of two images: from 0 to 2; null sets no limit.';
    end if;
    return query
    select c.a, c.b, c.phash_distance, c.image_distance, c.title_distance, c.trigram_similarity, s.score::real,
        concat_ws('+', case when s.phash >= 0.25 then 'phash' end, case when s.image >= 0.25 then 'image' end,
            case when s.title >= 0.25 then 'title' end)
    from shop_private.match_candidates(p_mine, p_theirs, p_k, least(reach * t.image, p_max_distance), reach * t.title) c
    cross join lateral (
        select shop_private.closeness(c.phash_distance, t.phash) as phash,
            shop_private.closeness(c.image_distance, t.image) as image,
            shop_private.title_closeness(c.title_distance, c.trigram_similarity, c.title_length, t.title, t.trigram)
                as title,
            shop_private.match_score(c.phash_distance, c.image_distance, c.title_distance, c.trigram_similarity,
                c.title_length, t.phash, t.image, t.title, t.trigram) as score) s
    where s.score >= p_min_score and (p_max_distance is null or c.image_distance <= p_max_distance);
end $$;
