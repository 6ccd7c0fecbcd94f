create or replace function shop_private.title_closeness(
    title_distance real, trigram_similarity real, title_length integer, title double precision, trigram double precision
)
returns double precision
language sql immutable parallel safe
return (shop_private.closeness(title_distance, title) + shop_private.closeness(1 - trigram_similarity, trigram)) / 2
    * least(1, title_length / 20.0);
