-- Reports how much of each catalog is encoded, with a row for each catalog and each model that is not retired.
-- searchable, waiting, quarantined and without_picture add up to products. searchable is the number of products whose
-- title and first image are encoded; for the serving model, these products are the rows of shop.searchable. words_only
-- is the number of products without an encoded image; a search can find them only by title and keywords.
--
-- If the site has at most @coverage_exact_rows@ products, counts_are is 'exact'. In a larger site, counts_are is
-- 'about': the numbers are estimated from a sample of about @coverage_sample_rows@ products. waiting and quarantined
-- are counted on the work list (shop_private.work) instead, unless the list has more than @coverage_exact_rows@ items.
-- If the sample has more waiting or quarantined products than the list, their number is estimated from the sample,
-- because the list of a model that is being added is incomplete. A role that does not see every product always gets
-- exact numbers, of the products that it sees.
create or replace function shop_private.coverage()
returns table (
    catalog text, model text, status shop.model_status, products bigint, searchable bigint, waiting bigint,
    quarantined bigint, without_picture bigint, words_only bigint, counts_are text
)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    total constant bigint := shop_private.row_estimate('shop.product');
    sample constant text := shop_private.sample_of('shop.product p', total, @coverage_sample_rows@);
    listed constant text := format('(select p.* from shop.product p where p.product_id in (
        select w.product_id from shop_private.work w where w.model_id = $1 and w.position = 0 and %L)) p',
        shop_private.row_estimate('shop_private.work') <= @coverage_exact_rows@);
    is_counted constant boolean := total <= @coverage_exact_rows@ or not shop_private.sees_every_product();
    m shop.model;
begin
    for m in select * from shop.model where status <> 'retired' order by model_id loop
        if is_counted then
            return query execute format('select c.catalog, $2, $3, c.products, c.searchable, c.waiting, c.quarantined,
                c.without_picture, c.words_only, ''exact'' from (%s) c order by c.catalog',
                shop_private.coverage_counts(m.name, 'shop.product p'))
            using m.model_id, m.name, m.status;
        else
            return query execute format('with sampled as (%s), listed as (%s),
                scale as (select $4 / sum(s.products) as factor from sampled s),
                estimate as (
                    select catalog, coalesce(round(s.products * factor), l.products) as products,
                        case when l.waiting >= coalesce(s.waiting, 0) then l.waiting
                            else round(s.waiting * factor) end as waiting,
                        case when l.quarantined >= coalesce(s.quarantined, 0) then l.quarantined
                            else round(s.quarantined * factor) end as quarantined,
                        coalesce(round(s.without_picture * factor), l.without_picture) as without_picture,
                        coalesce(round(s.words_only * factor), l.words_only) as words_only
                    from (select s.*, factor from sampled s, scale) s full join listed l using (catalog))
                select e.catalog, $2, $3, e.products::bigint,
                    (e.products - e.waiting - e.quarantined - e.without_picture)::bigint, e.waiting::bigint,
                    e.quarantined::bigint, e.without_picture::bigint, e.words_only::bigint, ''about''
                from estimate e order by e.catalog',
                shop_private.coverage_counts(m.name, sample), shop_private.coverage_counts(m.name, listed))
            using m.model_id, m.name, m.status, total::numeric;
        end if;
    end loop;
end $$;

create or replace view shop.coverage as select * from shop_private.coverage();
comment on column shop.coverage.catalog is 'the catalog';
comment on column shop.coverage.model is 'name of a model that is serving or building';
comment on column shop.coverage.status is 'building or serving';
comment on column shop.coverage.products is 'number of products of the catalog';
comment on column shop.coverage.searchable is
    'products whose first image and title are encoded; for the serving model, the rows of shop.searchable';
comment on column shop.coverage.waiting is 'products whose first image or title waits for an encoder';
comment on column shop.coverage.quarantined is 'products whose first image or title could not be encoded';
comment on column shop.coverage.without_picture is 'products without an image';
comment on column shop.coverage.words_only is
    'products without an encoded image; a search can find them only by title and keywords';
comment on column shop.coverage.counts_are is
    'exact, or about: most numbers are estimated from a sample of a large site';
