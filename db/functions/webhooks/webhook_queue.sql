-- Queues messages of kind p_kind about p_products, a list of objects with catalog and sku, for each of the webhooks
-- p_webhooks that wants them. A message has at most 100 products.
create or replace function shop_private.webhook_queue(p_kind text, p_products jsonb, p_webhooks integer[])
returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.webhook_message (message_id, webhook_id, body)
    select 'msg_' || replace(gen_random_uuid()::text, '-', ''), n.webhook_id, jsonb_build_object(
        'type', 'product.' || p_kind,
        'timestamp', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'data', jsonb_build_object('products', jsonb_agg(n.product order by n.number)))::text
    from (
        select w.webhook_id, p.product, p.number,
            (row_number() over (partition by w.webhook_id order by p.number) - 1) / 100 as part
        from shop_private.webhook w
        join jsonb_array_elements(p_products) with ordinality p(product, number)
            on w.catalogs is null or p.product ->> 'catalog' = any (w.catalogs)
        where w.webhook_id = any (p_webhooks) and w.disabled_at is null and p_kind = any (w.kinds)
    ) n
    group by n.webhook_id, n.part;
$$;
