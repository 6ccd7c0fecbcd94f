-- Notes products that may have become searchable, if their catalog has an active watch and the model p_model_id is
-- serving. Transactions that store vectors of the same product wait for each other at the note, so the last one of them
-- sees all vectors of the product. Rows are locked in the order of product_id.
create or replace function shop_private.watch_note(p_model_id smallint, p_products uuid[])
returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.watch_note (product_id, noted_at)
    select p.product_id, clock_timestamp()  -- later than the creation of each watch that this statement sees
    from shop.product p
    where p.product_id = any (p_products)
      and exists (select from shop.watch w where w.catalog = p.catalog and w.disabled_at is null)
      and exists (select from shop.model m where m.model_id = p_model_id and m.status = 'serving')
    order by p.product_id
    on conflict (product_id) do update set noted_at = excluded.noted_at;
$$;
