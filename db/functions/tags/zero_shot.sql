-- The best of some labels for each product, by its first picture: tags for what nobody tagged.
--
-- confidence is the softmax over the labels of similarity / temperature. The temperature is fitted on tagged products
-- (shop.calibrate_zero_shot); where there is none to rely on, confidence is null and a notice says why. margin is how
-- far a label stands above the best other one.
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
    comparisons constant integer := 5000000;
    fit constant record := shop_private.zero_shot_fit(field, template);
    vectors constant @vector@.halfvec[] := shop_private.label_vectors(labels, fit.template);
    condition constant text := format('%s and %s', shop_private.catalog_condition(catalog),
        shop_private.filter_condition(filter));
    most constant integer := comparisons / cardinality(labels);
    products integer;
begin
    if k is null or k not between 1 and cardinality(p_labels) then
        raise exception using errcode = '22023', message = format('k is %s', coalesce(k::text, 'null')),
            hint = format('The number of labels wanted for each product: from 1 to %s, all that were given.',
                cardinality(p_labels));
    end if;
    execute format('select count(*) from (
        select from shop.product p join shop.image_vector i on i.product_id = p.product_id and i.position = 0
        where %s limit $1 + 1) m', condition) into products using most;
    if products > most then
        raise exception using errcode = '54000', message = format('more than %s products match; with %s labels that '
            'is over %s comparisons', most, cardinality(p_labels), comparisons),
            hint = 'Go on in parts, such as {"sku": {"lt": "M"}} and then {"sku": {"gte": "M"}}.';
    end if;
    if fit.reason is not null then
        raise notice 'no confidence: %', fit.reason;
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

-- Each label's vector, asked for once. The label stands where the template has {}.
create or replace function shop_private.label_vectors(labels text[], template text)
returns @vector@.halfvec[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(array_ndims(labels), 0) <> 1 or cardinality(labels) not between 2 and 1000 then
        raise exception using errcode = '22023', hint = 'For example array[''bag'', ''shoe'', ''lamp''].',
            message = format('labels is %s, not a list of 2 to 1,000', case when labels is null then 'null'
                when array_ndims(labels) > 1 then 'a list of lists'
                else format('a list of %s', cardinality(labels)) end);
    end if;
    if exists (select from unnest(labels) l where l is null or l !~ '\S') then
        raise exception using errcode = '22023', message = 'a label is empty';
    end if;
    if (select count(distinct lower(btrim(l))) from unnest(labels) l) < cardinality(labels) then
        raise exception using errcode = '22023', hint = 'Given twice, a label would have half its confidence.',
            message = format('the label %L is repeated',
                (select min(l) from unnest(labels) l group by lower(btrim(l)) having count(*) > 1 limit 1));
    end if;
    if template not like '%{}%' then
        raise exception using errcode = '22023', hint = 'For example ''a photo of a {}''.',
            message = format('the template %L has no {} where the label stands', template);
    end if;
    return (select array_agg(shop.clip_text(replace(template, '{}', btrim(l.label))) order by l.n)
            from unnest(labels) with ordinality l(label, n));
end $$;

-- What shop.calibrate_zero_shot found for a field of the serving model; or the reason why there is no temperature to
-- rely on. template: the one asked for, else the one it was calibrated with, else the bare label.
create or replace function shop_private.zero_shot_fit(
    field text, inout template text, out temperature double precision, out reason text
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    asked constant text := template;
    model constant record := shop_private.serving();
    t shop.tuning;
    ece double precision;
begin
    perform shop_private.tag_expression(field);
    select * into t from shop.tuning t where t.model_id = model.model_id and t.name = 'zero_shot:' || field;
    template := coalesce(asked, t.detail ->> 'template', '{}');
    ece := t.detail ->> 'ece';
    if t.name is null then
        reason := format('%s was not calibrated with model %s; see shop.calibrate_zero_shot', field, model.model);
    elsif template <> t.detail ->> 'template' then
        reason := format('%s was calibrated with the template %L', field, t.detail ->> 'template');
    elsif ece > 0.10 then
        reason := format('on %s its expected calibration error was %s, over 0.10', field, round(ece::numeric, 3));
    else
        temperature := t.value;
    end if;
end $$;
