-- Compares products with the watches of their catalog, and stores the matches. The products are those of p_products
-- that have a note (see watch_note) and are searchable. The caller's transaction has locked the notes. Without a
-- serving model, nothing is done. The function deletes the notes, with one exception. If a watch of the catalog has no
-- vector or no floor of the serving model yet, the notes of this catalog stay, and watch_renew compares these products
-- again. A transaction calls the function at most once, so that all transactions lock notes, products and watches in
-- the same order.
create or replace function shop_private.watch_tell(p_products uuid[])
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    model constant shop.model := (select m from shop.model m where m.status = 'serving');
    waiting text[];  -- the catalogs with a watch that has no vector or no floor yet
    catalog text;
    products uuid[];
    noted timestamptz[];
    notes record;
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
    -- A product that was noted in this transaction is also compared with watches that were created after its note.
    select array_agg(n.product_id) as products,
        array_agg(case when n.noted_at >= now() then 'infinity' else n.noted_at end) as noted into notes
    from shop_private.watch_note n where n.product_id = any (p_products);
    delete from shop_private.watch_note n
    where n.product_id = any (p_products) and not exists (
        select from shop.product p where p.product_id = n.product_id and p.catalog = any (waiting));
    for catalog, products, noted in execute format(
        'select p.catalog, array_agg(p.product_id order by p.product_id), array_agg(n.noted_at order by p.product_id)
         from shop.product p join unnest($1, $2) n(product_id, noted_at) using (product_id)
         where %s group by p.catalog order by p.catalog',
        shop_private.is_searchable(model)) using notes.products, notes.noted
    loop
        perform shop_private.watch_compare(model, catalog, products, noted);
    end loop;
end $$;
