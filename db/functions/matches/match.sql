-- The row type of shop.matches. It is a type, because a function cannot have an argument and a result column of the
-- same name (sku). New columns come at the end.
create type shop.match as (
    product_id uuid, sku text, title text, price numeric, phash_distance integer, image_distance real,
    title_distance real, trigram_similarity real, score real, evidence text
);
