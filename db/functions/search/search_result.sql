-- The row type of shop.search and shop.similar. Distances are cosine distances. The columns of a leg that did not find
-- the product are null. New columns come at the end, so that a site's own SQL on shop.search keeps working.
-- exact_match: the field by which the text names the product (sku, gtin, mpn, attribute, brand, or text, which means a
-- code in the product's words).
create type shop.search_result as (
    rank integer, product_id uuid, sku text, title text, brand text, product_type text, price numeric, currency text,
    availability text, color text, link text, image_link text, image_uri text, image_position smallint,
    score double precision,
    image_rank integer, image_distance double precision, image_contribution double precision,
    title_rank integer, title_distance double precision, title_contribution double precision,
    keyword_rank integer, keyword_score double precision, keyword_contribution double precision,
    route text, rows_examined bigint, complete boolean, reason text, total bigint, total_is text, cursor text,
    has_next boolean, exact_match text
);
