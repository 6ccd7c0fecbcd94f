-- Returns how close two titles are: the mean of the closeness by vector and the closeness by trigrams. If the shorter
-- title has under 20 bytes, the closeness is multiplied by the title's length / 20, because a short title such as
-- "Flower" names a kind of product, not a certain product. title_length is the length of the shorter title in bytes.
-- title and trigram are the thresholds. The function has no search_path setting, so that PostgreSQL can inline it.
create or replace function shop_private.title_closeness(
    title_distance real, trigram_similarity real, title_length integer, title double precision, trigram double precision
)
returns double precision
language sql immutable parallel safe
return (shop_private.closeness(title_distance, title) + shop_private.closeness(1 - trigram_similarity, trigram)) / 2
    * least(1, title_length / 20.0);
