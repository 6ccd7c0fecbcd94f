-- Turns the matches that wait for the webhooks p_webhooks into messages, up to p_rows matches for each webhook. Returns
-- the largest number of matches that were taken for one webhook.
create or replace function shop_private.watch_messages(p_rows integer, p_webhooks integer[])
returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    hook integer;
    taken integer;
    most integer := 0;
    matches jsonb;
begin
    foreach hook in array p_webhooks loop
        with taken as (
            delete from shop_private.watch_report r
            using (select o.product_id, o.watch_id from shop_private.watch_report o where o.webhook_id = hook
                   limit p_rows for update skip locked) o
            where r.webhook_id = hook and r.product_id = o.product_id and r.watch_id = o.watch_id
            returning r.product_id, r.watch_id
        )
        select count(*), jsonb_agg(jsonb_build_object(
            'match', m.match_id, 'watch', w.name, 'catalog', w.catalog, 'sku', p.sku) order by m.match_id)
        into taken, matches
        from taken
        join shop.watch_match m using (product_id, watch_id) join shop.watch w using (watch_id)
        join shop.product p using (product_id);
        most := greatest(most, taken);
        perform shop_private.webhook_queue('matched', 'watch.matched', 'matches', matches, array[hook]);
    end loop;
    return most;
end $$;
