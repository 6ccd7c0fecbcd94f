-- Turns notes (see webhook_note) and matches of watches into messages for the webhooks that are not busy: up to p_rows
-- notes, and up to p_rows matches for each webhook. Returns the number of notes or, if it is larger, the largest number
-- of matches of a webhook. The notes are taken before the products are read. So the statement that reads the products
-- sees everything that the transactions of the notes wrote. If a later transaction encodes the last part of a product,
-- a later call takes the note of that transaction.
--
-- A webhook is busy while more than p_busy messages wait for it, unless its last message failed. The notes for a busy
-- webhook are moved to shop_private.webhook_held, so that the other webhooks do not wait. Each of the two tables of
-- notes is bounded. webhook_note has at most one row for a product and a kind, and webhook_held has at most one row for
-- a webhook, a product and a kind. The function deletes the notes and the matches of disabled webhooks.
create or replace function shop_private.webhook_messages(p_rows integer, p_busy integer)
returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    busy integer[];
    ready integer[];
    hook integer;
    notes integer;
    more integer;
    noted uuid[];
    quarantined uuid[];
begin
    select coalesce(array_agg(w.webhook_id) filter (where w.is_busy), '{}'),
        coalesce(array_agg(w.webhook_id) filter (where not w.is_busy), '{}')
    into busy, ready
    from (
        select w.webhook_id, w.error is null and p_busy < (
            select count(*) from shop_private.webhook_message d where d.webhook_id = w.webhook_id) as is_busy
        from shop_private.webhook w where w.disabled_at is null
    ) w;
    delete from shop_private.webhook_held h
    using shop_private.webhook w where w.webhook_id = h.webhook_id and w.disabled_at is not null;
    delete from shop_private.watch_report r
    using shop_private.webhook w where w.webhook_id = r.webhook_id and w.disabled_at is not null;
    with taken as (
        delete from shop_private.webhook_note n
        using (select o.kind, o.product_id from shop_private.webhook_note o
               order by o.noted_at limit p_rows for update skip locked) o
        where n.kind = o.kind and n.product_id = o.product_id
        returning n.kind, n.product_id
    ), held as (
        insert into shop_private.webhook_held (webhook_id, product_id, kind)
        select b.webhook_id, t.product_id, t.kind from taken t cross join unnest(busy) b(webhook_id)
        order by b.webhook_id, t.product_id, t.kind
        on conflict do nothing
    )
    select count(*), array_agg(t.product_id), array_agg(t.product_id) filter (where t.kind = 'quarantined')
    into notes, noted, quarantined from taken t;
    perform shop_private.webhook_report(noted, quarantined, ready);
    foreach hook in array ready loop
        exit when notes >= p_rows;
        with taken as (
            delete from shop_private.webhook_held h
            using (select o.product_id, o.kind from shop_private.webhook_held o where o.webhook_id = hook
                   order by o.product_id, o.kind limit p_rows - notes for update skip locked) o
            where h.webhook_id = hook and h.product_id = o.product_id and h.kind = o.kind
            returning h.kind, h.product_id
        )
        select count(*), array_agg(t.product_id), array_agg(t.product_id) filter (where t.kind = 'quarantined')
        into more, noted, quarantined from taken t;
        perform shop_private.webhook_report(noted, quarantined, array[hook]);
        notes := notes + more;
    end loop;
    return greatest(notes, shop_private.watch_messages(p_rows, ready));
end $$;
