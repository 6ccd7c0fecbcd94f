-- A row of shop.matches, which takes a sku and gives skus: a function cannot name an argument and a column alike. New
-- columns come at the end.
create type shop.match as (
    product_id uuid, sku text, title text, price numeric, phash_distance integer, image_distance real,
    title_distance real, trigram_similarity real, score real, evidence text
);
