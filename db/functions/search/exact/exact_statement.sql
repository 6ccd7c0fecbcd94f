-- Returns the statement by which exact_matches finds the products that a text names. p_condition is a condition on p
-- (shop.product). p_fields lists the fields in which the statement looks for the text: identifier, brand, text. If
-- p_indexed is true, the statement uses the indexes of brands and keywords; otherwise it reads only the products of $6
-- and $7.
--
-- The parameters of the statement are:
--   $1  the keys of identifiers
--   $2  for each key of $1: the words that a product with the key must also have, or null
--   $3  the text as typed
--   $4  the key of the text
--   $5  the codes that are looked up in the words of products
--   $6  the products that may have one of the keys of $1
--   $7  the products that the legs found or that were collected for the filter
--   $8  the catalog
--   $9  the keys of the spellings of the text; a product is named if its brand has one of these keys
--
-- A brand or a code can have very many products. Therefore the statement reads at most @exact_most_read@ rows for the
-- brand and for each code. At most @max_results@ products of a brand are returned in addition to the products of $7. A
-- code names no product if more than @code_most_products@ of its rows meet p_condition.
create or replace function shop_private.exact_statement(p_condition text, p_fields text[], p_indexed boolean)
returns text
language plpgsql immutable as $$
declare
    -- A text such as 1.5 or 1/2 is a number, so it does not name the identifiers 15 and 12 (grade 3).
    by_identifier constant text := 'select * from (
        select p.product_id, case k.key when shop_private.identifier_key(p.sku) then ''sku''
                when shop_private.identifier_key(p.gtin) then ''gtin''
                when shop_private.identifier_key(p.mpn) then ''mpn'' else ''attribute'' end as field,
            case when upper($3) in (upper(p.sku), upper(p.gtin), upper(p.mpn)) then 4
                when k.key = $4 then 3 else 2 end as grade
        from shop.product p
        join unnest($1, $2) k(key, words)
            on k.key = any(shop_private.identifier_keys(p.sku, p.gtin, p.mpn, p.attributes))
        where p.product_id = any($6) and (k.words is null or p.keywords @@ k.words) and %1$s) i
        where i.grade <> 3 or $3 !~ ''^[0-9]{1,3}[.,][0-9]{1,2}$|^[0-9]{1,2}[-/][0-9]{1,2}$''';
    by_brand constant text := 'select p.product_id, ''brand'', 1 from shop.product p
        where p.product_id = any($7) and shop_private.identifier_key(p.brand) = any($9) and %1$s';
    brand_index constant text := ' union all (select p.product_id, ''brand'', 1 from (
            select p.* from shop.product p where shop_private.identifier_key(p.brand) = any($9) and p.catalog = $8
            limit @exact_most_read@) p where %1$s limit @max_results@)';
    by_text constant text := 'select c.product_id, ''text'', 1 from unnest($5) code, lateral (
            select p.product_id, count(*) over () as products
            from (select p.* from shop.product p where %2$s p.keywords @@ code limit @exact_most_read@) p
            where %1$s limit @code_most_products@ + 1) c
        where c.products <= @code_most_products@';
begin
    return format('select array_agg(row(f.product_id, f.field, f.grade)::shop_private.exact_match)
        from (select distinct on (m.product_id) m.* from (' || concat_ws(' union all ',
            case when 'identifier' = any(p_fields) then by_identifier end,
            case when 'brand' = any(p_fields) then by_brand || case when p_indexed then brand_index else '' end end,
            case when 'text' = any(p_fields) then by_text end)
        || ') m(product_id, field, grade) order by m.product_id, m.grade desc, m.field) f',
        p_condition, case when p_indexed then '' else 'p.product_id = any($6) and' end);
end $$;
