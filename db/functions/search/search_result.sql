-- The row type of shop.search and shop.similar. Distances are cosine distances. The rank and the contribution of a leg
-- that did not find the product are null. New columns come at the end, so that a site's own SQL on shop.search keeps
-- working. exact_match is the field by which the query names the product: 'sku', 'gtin', 'mpn', 'attribute', 'brand' or
-- 'text'. 'text' means a code, such as a model number, that is in the query and in the product's words.
create type shop.search_result as (
    rank integer, product_id uuid, sku text, title text, brand text, product_type text, price numeric, currency text,
    availability text, color text, link text, image_link text, image_uri text, image_position smallint,
    score double precision,
    image_rank integer, image_distance double precision, image_contribution double precision,
    title_rank integer, title_distance double precision, title_contribution double precision,
    keyword_rank integer, keyword_score double precision, keyword_contribution double precision,
    route text, rows_examined bigint, complete boolean, reason text, total bigint, total_is text, cursor text,
    has_next boolean, exact_match text, group_value text, group_products bigint, group_low numeric, group_high numeric,
    corrected_query text, shop_ranking double precision, rules text[]
);

comment on column shop.search_result.rank is 'place in the results, from 1 over all pages';
comment on column shop.search_result.product_id is 'key of the product';
comment on column shop.search_result.sku is 'sku of the product';
comment on column shop.search_result.title is 'title of the product';
comment on column shop.search_result.brand is 'brand of the product';
comment on column shop.search_result.product_type is 'category of the product';
comment on column shop.search_result.price is 'price of the product, in the currency of the column currency';
comment on column shop.search_result.currency is 'ISO 4217 code of the price';
comment on column shop.search_result.availability is 'in_stock, out_of_stock, preorder or backorder';
comment on column shop.search_result.color is 'colour of the product';
comment on column shop.search_result.link is 'address of the product''s page';
comment on column shop.search_result.image_link is 'address of the first image, as the feed gave it';
comment on column shop.search_result.image_uri is
    'the image at image_position: a path below the image root, or an address';
comment on column shop.search_result.image_position is
    'position of the image that was found nearest to the query; 0 if none was found';
comment on column shop.search_result.score is 'sum of the three contributions and shop_ranking';
comment on column shop.search_result.image_rank is 'rank in the image leg; null: the leg did not find the product';
comment on column shop.search_result.image_distance is
    'cosine distance of query and image, from 0 (equal direction) to 2';
comment on column shop.search_result.image_contribution is 'part of the score that the image leg adds';
comment on column shop.search_result.title_rank is 'rank in the title leg; null: the leg did not find the product';
comment on column shop.search_result.title_distance is
    'cosine distance of query and title, from 0 (equal direction) to 2';
comment on column shop.search_result.title_contribution is 'part of the score that the title leg adds';
comment on column shop.search_result.keyword_rank is 'rank in the keyword leg; null: the leg did not find the product';
comment on column shop.search_result.keyword_score is 'score of the keyword leg, above 1 if the product has every word';
comment on column shop.search_result.keyword_contribution is 'part of the score that the keyword leg adds';
comment on column shop.search_result.route is
    'how the vectors were compared: hnsw, bit (index over bits), label (hnsw of a label), exact, or keyword if no '
    'vector leg ran; the same in every row';
comment on column shop.search_result.rows_examined is 'rows that all legs read; the same in every row';
comment on column shop.search_result.complete is
    'false if only keywords were searched, because the query could not be encoded, or if a leg compared only some of '
    'the matches; the same in every row';
comment on column shop.search_result.reason is
    'why the ranking is incomplete, or why the last page ends before total, '
    'or after how many candidates an index scan ended, or why a leg compared matches '
    'after an index scan; '
    'null if none of these is the case; the same in every row';
comment on column shop.search_result.total is
    'number of products, encoded or not, that pass the filter and, if the search has a cut, the cut; '
    'with group_by, the number of groups; '
    'the same in every row';
comment on column shop.search_result.total_is is
    'how exact total is: ''exact'', ''about'' (an estimate) or ''at least'' (a lower bound); the same in every row';
comment on column shop.search_result.cursor is
    'value of the argument "after" with which the next page starts behind this row';
comment on column shop.search_result.has_next is 'whether there is a further page; the same in every row';
comment on column shop.search_result.exact_match is
    'field by which the query names the product: ''sku'', ''gtin'', ''mpn'', ''attribute'', ''brand'' or ''text'' '
    '(a code in the product''s words); null if the query does not name the product';
comment on column shop.search_result.group_value is
    'value of the field group_by that all products of the group have; null without group_by, if the product has no '
    'value, and if images are grouped';
comment on column shop.search_result.group_products is
    'number of products of the group that match; null without group_by';
comment on column shop.search_result.group_low is
    'lowest effective price of the group''s products that match, in the currency of the column currency';
comment on column shop.search_result.group_high is
    'highest effective price of the group''s products that match, in the currency of the column currency';
comment on column shop.search_result.corrected_query is
    'the query with the words that were found for misspelt words; null if no word was corrected; the same in every row';
comment on column shop.search_result.shop_ranking is
    'part of the score that the signals and rules of the shop add, in all; null: none applies to the search';
comment on column shop.search_result.rules is
    'names of the rules that changed the search; null: none did; the same in every row';
