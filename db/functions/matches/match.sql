-- The row type of shop.matches. With RETURNS TABLE, the argument sku and the column sku could not have the same name,
-- so shop.matches returns this type. New columns are added at the end.
create type shop.match as (
    product_id uuid, sku text, title text, price numeric, phash_distance integer, image_distance real,
    title_distance real, trigram_similarity real, score real, evidence text
);

comment on column shop.match.product_id is 'key of the matching product';
comment on column shop.match.sku is 'sku of the matching product';
comment on column shop.match.title is 'title of the matching product';
comment on column shop.match.price is 'price of the matching product';
comment on column shop.match.phash_distance is
    'number of different bits, of 64, of the perceptual hashes of the first images';
comment on column shop.match.image_distance is 'cosine distance of the first images';
comment on column shop.match.title_distance is 'cosine distance of the titles';
comment on column shop.match.trigram_similarity is 'share of the two titles'' trigrams that both titles contain';
comment on column shop.match.score is
    'score of the pair: 1 or more is a match; the argument min_score is the lowest score that is returned';
comment on column shop.match.evidence is 'the signals whose closeness is 0.25 or more';
