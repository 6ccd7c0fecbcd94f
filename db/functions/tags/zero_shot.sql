-- Returns, for each product that passes the filter and has an encoded first image, the k labels that fit this image
-- best. The labels can serve as tags of products that have no tags.
--
-- confidence is the softmax of similarity / temperature over all labels. shop.calibrate_zero_shot fits the temperature
-- on the products with a tag in `field`. Without a reliable temperature, confidence is null and the notice WS108 gives
-- the reason. margin is the similarity of the label minus the similarity of the best other label. If template is null,
-- the template of the calibration is used, or the label alone if there is no calibration.
create or replace function shop.zero_shot(
    labels text[], filter jsonb default null, catalog text default 'main', template text default null,
    field text default 'product_type', k integer default 1
)
returns table (
    product_id uuid, sku text, title text, label text, confidence double precision, similarity double precision,
    margin double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
#variable_conflict use_column
declare
    p_labels constant text[] := labels;
    comparisons constant integer := @max_zero_shot_comparisons@;
    fit constant record := shop_private.zero_shot_fit(field, template);
    vectors constant @vector@.halfvec[] := shop_private.label_vectors(labels, fit.template);
    condition constant text := format('%s and %s', shop_private.catalog_condition(catalog),
        shop_private.filter_condition(filter));
    max_products constant integer := comparisons / cardinality(labels);
    products integer;
begin
    if k is null or k not between 1 and cardinality(p_labels) then
        raise exception using errcode = '22023', message = format('k is %s', coalesce(k::text, 'null')),
            hint = format('k is the number of labels to return for each product: from 1 to %s, the number of labels.',
                cardinality(p_labels));
    end if;
    execute format('select count(*) from (
        select from shop.product p join shop.image_vector i on i.product_id = p.product_id and i.position = 0
        where %s limit $1 + 1) m', condition) into products using max_products;
    if products > max_products then
        raise exception using errcode = '54000', message = format('more than %s products match; with %s labels, '
            'the call needs more than %s comparisons', max_products, cardinality(p_labels), comparisons),
            hint = 'Call the function for parts of the catalog: {"sku": {"lt": "M"}}, then {"sku": {"gte": "M"}}.';
    end if;
    if fit.reason is not null then
        raise notice using errcode = 'WS108', message = 'no confidence: ' || fit.reason;
    end if;
    return query execute format(
        'select p.product_id, p.sku, p.title, l.label, l.confidence, l.similarity, l.margin
         from shop.product p
         join shop.image_vector i on i.product_id = p.product_id and i.position = 0
         cross join lateral (
             select s.label, s.similarity, s.rank, exp((s.similarity - s.best) / $3)
                     / sum(exp((s.similarity - s.best) / $3)) over () as confidence,
                 s.similarity - case s.rank when 1 then lead(s.similarity) over (order by s.rank) else s.best end
                     as margin
             from (
                 select n.label, n.similarity, row_number() over nearest as rank,
                     first_value(n.similarity) over nearest as best
                 from (select l.label, 1 - (i.embedding operator(@vector@.<=>) l.v) as similarity
                       from unnest($1, $2) l(label, v)) n
                 window nearest as (order by n.similarity desc, n.label)) s
             order by s.rank limit $4) l
         where %s
         order by p.sku, l.rank', condition)
    using p_labels, vectors, fit.temperature, k;
end $$;
