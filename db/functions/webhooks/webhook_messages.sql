-- Turns up to p_rows notes into messages, and returns the number of notes taken. The notes are taken before the
-- products are read. So the statement that reads the products sees everything that the transactions of the notes wrote.
-- If a later transaction encodes the last part of a product, a later call takes the note of that transaction.
--
-- A product is searchable if no item of it waits for the encoder, its title is encoded, and its first image is encoded,
-- if it has images. A quarantined item can be the last one that waited, so its product is checked, too.
--
-- While more than p_busy messages wait for a receiver that has accepted its last message, no notes are taken. A product
-- has at most one note of a kind, so the notes that wait are bounded.
create or replace function shop_private.webhook_messages(p_rows integer, p_busy integer)
returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    m record;
    notes integer;
    noted uuid[];
    quarantined uuid[];
    products jsonb;
begin
    if exists (select from shop_private.webhook w
               where w.disabled_at is null and w.error is null
                 and p_busy < (select count(*) from shop_private.webhook_message d
                               where d.webhook_id = w.webhook_id)) then
        return 0;
    end if;
    m := shop_private.serving();
    with taken as (
        delete from shop_private.webhook_note n
        using (select o.kind, o.product_id from shop_private.webhook_note o
               order by o.noted_at limit p_rows for update skip locked) o
        where n.kind = o.kind and n.product_id = o.product_id
        returning n.kind, n.product_id
    )
    select count(*), array_agg(t.product_id), array_agg(t.product_id) filter (where t.kind = 'quarantined')
    into notes, noted, quarantined from taken t;
    if notes = 0 or m.model is null then
        return notes;
    end if;
    execute format(
        'select jsonb_agg(jsonb_build_object(''catalog'', p.catalog, ''sku'', p.sku) order by p.product_id)
         from shop.product p
         where p.product_id = any ($1)
           and not exists (select from shop_private.work w
                           where w.product_id = p.product_id and w.model_id = $2
                             and (w.state <> ''quarantined'' or w.position = 0))
           and exists (select from %s t where t.product_id = p.product_id)
           and (exists (select from %s i where i.product_id = p.product_id and i.position = 0)
                or not exists (select from shop.product_image i where i.product_id = p.product_id))',
        m.title_table, m.image_table)
    into products using noted, m.model_id;
    perform shop_private.webhook_queue('searchable', products);
    select jsonb_agg(jsonb_build_object('catalog', p.catalog, 'sku', p.sku, 'part', w.part, 'position', w.position,
                                        'reason', w.error) order by p.product_id, w.part, w.position)
    into products
    from shop_private.work w join shop.product p using (product_id)
    where w.product_id = any (quarantined) and w.model_id = m.model_id and w.state = 'quarantined';
    perform shop_private.webhook_queue('quarantined', products);
    return notes;
end $$;
