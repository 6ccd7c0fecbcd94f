-- Returns the score of a pair of products. A score of 1 or more is a match, for shop.matches and shop.match_products.
-- The last four parameters are the thresholds.
--
-- Each distance has a threshold at which that distance alone suffices, see closeness. The score is the closeness of the
-- images (by perceptual hash or vector, whichever is closer) plus the closeness of the titles. Two signals of 0.5
-- therefore make a match. A null distance, such as the distance of a product that is not encoded yet, adds nothing. The
-- function has no search_path setting, so that it is inlined.
create or replace function shop_private.match_score(
    phash_distance integer, image_distance real, title_distance real, trigram_similarity real, title_length integer,
    phash double precision, image double precision, title double precision, trigram double precision
)
returns double precision
language sql immutable parallel safe
return greatest(shop_private.closeness(phash_distance, phash), shop_private.closeness(image_distance, image))
    + shop_private.title_closeness(title_distance, trigram_similarity, title_length, title, trigram);
