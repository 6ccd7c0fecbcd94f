-- Compares those of the noted products that are searchable with the watches of their catalog, and stores the matches.
-- The caller's transaction has locked the notes. The function deletes the notes, with one exception: if a watch of the
-- catalog has no vector of the serving model yet, watch_renew compares these products again.
create or replace function shop_private.watch_tell(p_products uuid[])
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    model constant shop.model := (select m from shop.model m where m.status = 'serving');
    waiting text[];  -- the catalogs with a watch without a vector
    catalog text;
    products uuid[];
begin
    if model.model_id is null then
        return;
    end if;
    perform from shop.product p where p.product_id = any (p_products) order by p.product_id for key share;
    waiting := array(
        select distinct w.catalog from shop.watch w
        where w.disabled_at is null and num_nonnulls(w.query, w.image) > 0 and not exists (
            select from shop_private.watch_vector v
            where v.watch_id = w.watch_id and v.model_id = model.model_id
              and num_nonnulls(v.image_floor, v.title_floor) > 0));
    delete from shop_private.watch_note n
    where n.product_id = any (p_products) and not exists (
        select from shop.product p where p.product_id = n.product_id and p.catalog = any (waiting));
    for catalog, products in execute format(
        'select p.catalog, array_agg(p.product_id order by p.product_id) from shop.product p
         where p.product_id = any ($1) and %s group by p.catalog order by p.catalog',
        shop_private.is_searchable(model)) using p_products
    loop
        perform shop_private.watch_compare(model, catalog, products);
    end loop;
end $$;
