-- Queues messages of the type p_type for those webhooks of p_webhooks that receive messages of the kind p_kind. p_items
-- is a list of objects with a catalog; a webhook receives the items of its catalogs. A message has at most 100 items,
-- under the key p_list.
create or replace function shop_private.webhook_queue(
    p_kind text, p_type text, p_list text, p_items jsonb, p_webhooks integer[]
)
returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.webhook_message (message_id, webhook_id, body)
    select 'msg_' || replace(gen_random_uuid()::text, '-', ''), n.webhook_id, jsonb_build_object(
        'type', p_type,
        'timestamp', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
        'data', jsonb_build_object(p_list, jsonb_agg(n.item order by n.number)))::text
    from (
        select w.webhook_id, i.item, i.number,
            (row_number() over (partition by w.webhook_id order by i.number) - 1) / 100 as part
        from shop_private.webhook w
        join jsonb_array_elements(p_items) with ordinality i(item, number)
            on w.catalogs is null or i.item ->> 'catalog' = any (w.catalogs)
        where w.webhook_id = any (p_webhooks) and w.disabled_at is null and p_kind = any (w.kinds)
    ) n
    group by n.webhook_id, n.part;
$$;
