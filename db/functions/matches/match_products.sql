-- Finds products that are the same thing, and puts them into groups. Only products that pass the filter are compared.
-- The function compares images and titles, never an attribute that names a group. It returns a row for each product
-- whose group has two or more products. `evidence` names the signals by which the product fits its best match in the
-- group. max_distance excludes pairs whose images are farther apart or cannot be compared; null sets no limit. max_size
-- is the largest number of products in a group. k is the number of nearest products that are compared with each
-- product.
--
-- Raises an error if an argument is wrong, or if more than @match_max_products@ products pass the filter. For a larger
-- catalog, call the function once for each part of the catalog. Choose filters that keep similar products together,
-- such as one filter for each product type.
create or replace function shop.match_products(
    filter jsonb default null, catalog text default 'main', max_distance double precision default null,
    min_score double precision default 1, max_size integer default 50, k integer default 50
)
returns table (
    group_id uuid, product_id uuid, sku text, title text, group_size integer, score real, evidence text
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
    max_products constant integer := @match_max_products@;
    condition constant text := format('%s and %s', shop_private.catalog_condition(catalog),
        shop_private.filter_condition(filter));
    products integer;
    ids uuid[];
    firsts integer[];
    seconds integer[];
    scores real[];
    evidences text[];
    groups integer[];
begin
    if max_size is null or max_size not between 2 and 1000 then
        raise exception using errcode = '22023', message = format('max_size is %s', coalesce(max_size::text, 'null')),
            hint = 'max_size is the largest number of products in a group: from 2 to 1000.';
    end if;
    execute format('select count(*) from (select from shop.product p where %s limit $1 + 1) m', condition)
    into products using max_products;
    if products > max_products then
        raise exception using errcode = '54000', message = format('more than %s products match', max_products),
            hint = 'Call the function for parts of the catalog, with a filter for each; or use shop.matches.';
    end if;

    with found as (
        select distinct on (1, 2) least(m.a, m.b) as a, greatest(m.a, m.b) as b, m.score, m.evidence
        from shop_private.match_pairs(condition, condition, k, min_score, max_distance) m
        order by 1, 2, m.score desc
    ), numbered as (
        select n.id, row_number() over (order by n.id)::integer as number
        from (select f.a as id from found f union select f.b from found f) n
    )
    select (select array_agg(n.id order by n.number) from numbered n), array_agg(l.first), array_agg(l.second),
        array_agg(l.score), array_agg(l.evidence)
    into ids, firsts, seconds, scores, evidences
    from (select x.number as first, y.number as second, f.score, f.evidence
          from found f join numbered x on x.id = f.a join numbered y on y.id = f.b
          order by f.score desc, f.a, f.b) l;

    groups := shop_private.groups(firsts, seconds, max_size);
    return query
    with best as (
        select distinct on (m.number) m.number, l.score, l.evidence
        from unnest(firsts, seconds, scores, evidences) l(first, second, score, evidence)
        cross join lateral (values (l.first), (l.second)) m(number)
        where groups[l.first] = groups[l.second]
        order by m.number, l.score desc
    )
    select ids[groups[b.number]], p.product_id, p.sku, p.title,
        (count(*) over (partition by groups[b.number]))::integer, b.score, b.evidence
    from best b join shop.product p on p.product_id = ids[b.number]
    order by 5 desc, 1, b.score desc, p.sku;
end $$;
