-- Deletes four kinds of rows that are no longer needed:
--   (1) requests older than 60 seconds, unless another session, such as an encoder, has locked the request;
--   (2) the oldest query vectors, so that the newest p_cache_rows remain;
--   (3) encoder processes (workers) that hold no items, and whose lease ended more than an hour ago;
--   (4) rows of query_lane (encoders that answer queries) whose last report is more than an hour old.
-- Then the function refreshes the common words and renews the watches (see watch_renew). An error of watch_renew causes
-- only a warning, because the session that calls the function also answers queries.
create or replace function shop_private.housekeep(p_cache_rows bigint)
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from shop_private.request where id in (
        select id from shop_private.request where created_at < clock_timestamp() - interval '60 seconds'
        for update skip locked);
    delete from shop_private.query_embedding e
    where e.created_at <= (
        select c.created_at from shop_private.query_embedding c order by c.created_at desc offset p_cache_rows limit 1);
    delete from shop_private.worker k
    where k.lease_expires_at < clock_timestamp() - interval '1 hour'
      and not exists (select from shop_private.work w where w.worker_id = k.worker_id and w.state = 'leased');
    delete from shop_private.query_lane q where q.reported_at < clock_timestamp() - interval '1 hour';
    perform shop_private.refresh_common_words();
    if exists (select from shop.watch) or exists (select from shop_private.watch_note) then
        begin
            perform shop_private.watch_renew();
        exception when others then  -- "others" does not include a canceled query
            raise warning 'the watches are not renewed: %', sqlerrm;
        end;
    end if;
end $$;
