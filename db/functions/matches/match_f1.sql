-- Returns one row: how well the groups of shop.match_products agree with groups that people made. `truth` is the field
-- that names the group that people made; it is read only for scoring. Products without a value of `truth` do not count.
--
-- The measure is that of the Shopee competition, which calls a product a posting. For each product, the function
-- computes precision, recall and F1 between two sets: the products in the group that was found for this product, and
-- the products with the same value of `truth`. Both sets include the product itself. The three means are averages over
-- the products. `groups` is the number of different values of `truth`.
create or replace function shop.match_f1(catalog text default 'main', truth text default 'attributes.label_group')
returns table (
    postings bigint, groups bigint, mean_precision double precision, mean_recall double precision,
    mean_f1 double precision
)
language plpgsql stable rows 1 set search_path = pg_catalog, pg_temp set jit = off as $$
begin
    return query execute format(
        'select count(*), count(distinct c.label), avg(c.hits / c.found), avg(c.hits / c.same),
            avg(2 * c.hits / (c.found + c.same))
         from (
             select l.label, count(*) over (partition by l.label) as same,
                 count(*) over (partition by l.group_id) as found,
                 (count(*) over (partition by l.group_id, l.label))::double precision as hits
             from (select %s as label, coalesce(m.group_id, p.product_id) as group_id
                   from shop.product p left join shop.match_products(catalog => $1) m on m.product_id = p.product_id
                   where %s) l
             where l.label is not null) c', shop_private.tag_expression(truth), shop_private.catalog_condition(catalog))
    using catalog;
end $$;
