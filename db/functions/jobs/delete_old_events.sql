-- Deletes events that are older than p_days days, the oldest first, at most p_rows of them. Returns the number of
-- deleted events.
create or replace function shop_private.delete_old_events(p_days integer, p_rows integer)
returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with deleted as (
        delete from shop.event where event_id = any(array(
            select event_id from shop.event where at < clock_timestamp() - make_interval(days => p_days)
            order by at limit p_rows for update skip locked))
        returning 1)
    select count(*) from deleted
$$;
