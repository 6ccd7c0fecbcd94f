create or replace function shop_private.match_score(
    phash_distance integer, image_distance real, title_distance real, trigram_similarity real, title_length integer,
    phash double precision, image double precision, title double precision, trigram double precision
)
returns double precision
language sql immutable parallel safe
return greatest(shop_private.closeness(phash_distance, phash), shop_private.closeness(image_distance, image))
    + shop_private.title_closeness(title_distance, trigram_similarity, title_length, title, trigram);
