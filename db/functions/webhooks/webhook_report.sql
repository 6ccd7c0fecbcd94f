-- Queues the messages about products with notes, for the webhooks p_webhooks. p_quarantined are those of the products
-- that have a note of this kind. Returns immediately without notes, and while no model serves.
--
-- A product is searchable if no item of it waits for the encoder, its title is encoded, and its first image is encoded,
-- if it has images. A quarantined item can be the last one that waited, so its product is checked, too.
create or replace function shop_private.webhook_report(p_noted uuid[], p_quarantined uuid[], p_webhooks integer[])
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    m record;
    products jsonb;
begin
    m := shop_private.serving();
    if p_noted is null or m.model is null then
        return;
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
    into products using p_noted, m.model_id;
    perform shop_private.webhook_queue('searchable', products, p_webhooks);
    select jsonb_agg(jsonb_build_object('catalog', p.catalog, 'sku', p.sku, 'part', w.part, 'position', w.position,
                                        'reason', w.error) order by p.product_id, w.part, w.position)
    into products
    from shop_private.work w join shop.product p using (product_id)
    where w.product_id = any (p_quarantined) and w.model_id = m.model_id and w.state = 'quarantined';
    perform shop_private.webhook_queue('quarantined', products, p_webhooks);
end $$;
