-- Queues messages for the webhooks p_webhooks about products that have notes. A note says that a product may have
-- become searchable or that one of its items was quarantined (see webhook_note). p_noted lists the products with a note
-- of either kind. All of them are checked, because a product can become searchable when its last waiting item is
-- quarantined. p_quarantined lists the products with a note of the kind quarantined. The function queues nothing if
-- there is no note or if no model serves.
create or replace function shop_private.webhook_report(p_noted uuid[], p_quarantined uuid[], p_webhooks integer[])
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    m constant shop.model := (select o from shop.model o where o.status = 'serving');
    products jsonb;
begin
    if p_noted is null or m.model_id is null then
        return;
    end if;
    execute format(
        'select jsonb_agg(jsonb_build_object(''catalog'', p.catalog, ''sku'', p.sku) order by p.product_id)
         from shop.product p where p.product_id = any ($1) and %s', shop_private.is_searchable(m))
    into products using p_noted;
    perform shop_private.webhook_queue('searchable', 'product.searchable', 'products', products, p_webhooks);
    select jsonb_agg(jsonb_build_object('catalog', p.catalog, 'sku', p.sku, 'part', w.part, 'position', w.position,
                                        'reason', w.error) order by p.product_id, w.part, w.position)
    into products
    from shop_private.work w join shop.product p using (product_id)
    where w.product_id = any (p_quarantined) and w.model_id = m.model_id and w.state = 'quarantined';
    perform shop_private.webhook_queue('quarantined', 'product.quarantined', 'products', products, p_webhooks);
end $$;
