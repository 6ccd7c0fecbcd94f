-- Returns the score of a pair of products. For shop.matches and shop.match_products, a score of 1 or more is a match.
-- The last four parameters are the thresholds.
--
-- Each distance has a threshold: at this distance, the signal alone makes a match (see closeness). The score is the
-- closeness of the images plus the closeness of the titles. The closeness of the images is the larger of two: by
-- perceptual hash and by vector. Two signals of 0.5 together therefore make a match. A null distance adds nothing, such
-- as the distance of a product that is not encoded yet. The function has no search_path setting, so that PostgreSQL can
-- inline it.
create or replace function shop_private.match_score(
    phash_distance integer, image_distance real, title_distance real, trigram_similarity real, title_length integer,
    phash double precision, image double precision, title double precision, trigram double precision
)
returns double precision
language sql immutable parallel safe
return greatest(shop_private.closeness(phash_distance, phash), shop_private.closeness(image_distance, image))
    + shop_private.title_closeness(title_distance, trigram_similarity, title_length, title, trigram);
