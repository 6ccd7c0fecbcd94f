-- Reports how much of each catalog is encoded, with a row for each catalog and model. The sum of searchable, waiting,
-- quarantined and without_picture is products. searchable is the number of products whose title and first image are
-- encoded; for the serving model, these products are the rows of shop.searchable. words_only is the number of products
-- without an encoded image; a search can find them only by title and keywords.
create or replace function shop_private.coverage()
returns table (
    catalog text, model text, status shop.model_status, products bigint,
    searchable bigint, waiting bigint, quarantined bigint, without_picture bigint, words_only bigint
)
language plpgsql stable rows 10 security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    m shop.model;
begin
    for m in select * from shop.model where status <> 'retired' order by model_id loop
        return query execute format(
            'select c.catalog, $1, $2, count(*), count(*) filter (where c.place = 1),
                    count(*) filter (where c.place = 4), count(*) filter (where c.place = 2),
                    count(*) filter (where c.place = 3),
                    count(*) filter (where not c.has_image)
             from (
                 select p.catalog, case
                     when i.product_id is not null and t.product_id is not null then 1
                     when exists (select from shop_private.work w where w.product_id = p.product_id
                                  and w.model_id = $3 and w.position = 0 and w.state = ''quarantined'') then 2
                     when not exists (select from shop.product_image f
                                      where f.product_id = p.product_id and f.position = 0) then 3
                     else 4 end as place,
                     exists (select from shop.%1$I v where v.product_id = p.product_id) as has_image
                 from shop.product p
                 left join shop.%1$I i on i.product_id = p.product_id and i.position = 0
                 left join shop.%2$I t on t.product_id = p.product_id) c
             group by c.catalog order by c.catalog', m.name || '_image', m.name || '_title')
        using m.name, m.status, m.model_id;
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
