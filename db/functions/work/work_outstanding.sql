-- How much is left to encode, for progress bars and readiness.
create or replace function shop_private.work_outstanding(p_models smallint[])
returns table (pending bigint, leased bigint, quarantined bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select count(*) filter (where w.state = 'pending'), count(*) filter (where w.state = 'leased'),
        count(*) filter (where w.state = 'quarantined')
    from shop_private.work w where w.model_id = any (p_models);
$$;

-- What was given up, and why.
create or replace function shop_private.work_quarantined()
returns table (model text, catalog text, sku text, part text, "position" smallint, uri text, error text)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select m.name, p.catalog, p.sku, w.part::text, w.position, i.uri, w.error
    from shop_private.work w
    join shop.model m on m.model_id = w.model_id
    join shop.product p on p.product_id = w.product_id
    left join shop.product_image i on w.part = 'image' and i.product_id = w.product_id and i.position = w.position
    where w.state = 'quarantined'
    order by p.catalog, p.sku, w.part, w.position;
$$;

create or replace view shop.quarantine as select * from shop_private.work_quarantined();
comment on view shop.quarantine is 'Titles and pictures that could not be encoded, with the reason.';
