-- Returns the products of a catalog that are the same thing as the given product, best match first. A min_score below 1
-- includes products that nearly match. `evidence` lists those of the signals phash, image and title whose closeness
-- (see match_score) is 0.25 or more. max_distance excludes products whose image is farther away or cannot be compared;
-- null sets no limit. k is the number of nearest products that are compared with the given product.
create or replace function shop.matches(
    sku text, catalog text default 'main', max_distance double precision default null,
    min_score double precision default 1, k integer default 50
)
returns setof shop.match
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
    p_sku constant text := sku;
    own_id constant uuid := shop.product_id(sku, catalog);
    theirs constant text := shop_private.catalog_condition(catalog);
begin
    if not exists (select from shop.product p where p.product_id = own_id) then
        raise exception using errcode = '42704',
            message = format('there is no product %s in catalog %L', coalesce(quote_literal(p_sku), 'null'), catalog);
    end if;
    return query
    select p.product_id, p.sku, p.title, p.price, m.phash_distance, m.image_distance, m.title_distance,
        m.trigram_similarity, m.score, m.evidence
    from shop_private.match_pairs(format('p.product_id = %L', own_id), theirs, k, min_score, max_distance) m
    join shop.product p on p.product_id = m.b
    order by m.score desc, p.sku;
end $$;
