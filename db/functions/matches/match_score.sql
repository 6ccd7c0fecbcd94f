-- Returns the score of a pair of products. For shop.matches and shop.match_products, a score of 1 or more is a match.
-- The last four parameters are the thresholds of the distances. trigram is the threshold of 1 - trigram_similarity.
--
-- The score is the closeness of the images plus the closeness of the titles. A distance that equals its threshold has a
-- closeness of 1 (see closeness). The closeness of the images is the larger of two values, one by perceptual hash and
-- one by vector. One of these two distances at its threshold is therefore enough for a match. The closeness of the
-- titles is the mean of two values, one by vector and one by trigrams. It is reduced for titles under 20 bytes (see
-- title_closeness). Both of these distances at their thresholds are therefore enough for a match if the shorter title
-- has at least 20 bytes. Images and titles with a closeness of 0.5 each also make a match. A null distance, such as
-- that of a product that is not encoded yet, has a closeness of 0. The function has no search_path setting, so that
-- PostgreSQL can inline it.
create or replace function shop_private.match_score(
    phash_distance integer, image_distance real, title_distance real, trigram_similarity real, title_length integer,
    phash double precision, image double precision, title double precision, trigram double precision
)
returns double precision
language sql immutable parallel safe
return greatest(shop_private.closeness(phash_distance, phash), shop_private.closeness(image_distance, image))
    + shop_private.title_closeness(title_distance, trigram_similarity, title_length, title, trigram);
