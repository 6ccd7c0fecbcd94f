-- Lists the hosts whose last recorded fetch failed. Encoders try each of these hosts again; no command is needed.
create or replace view shop.failing_host with (security_invoker = true) as
select f.host,
    (select count(*) from shop_private.work w where w.host = f.host and w.state = 'pending'
        and w.model_id in (select m.model_id from shop.model m where m.status <> 'retired')) as waiting,
    f.failing_since, greatest(f.paused_until, clock_timestamp()) as next_attempt_at, f.error
from shop_private.fetch_host f
where f.failing_since is not null
order by 2 desc, 1;
comment on column shop.failing_host.host is 'name and port of the host, or scheme and bucket of an object store';
comment on column shop.failing_host.waiting is 'waiting images; an image that waits for two models counts twice';
comment on column shop.failing_host.failing_since is
    'time of the first failed fetch after the last fetch that did not fail';
comment on column shop.failing_host.next_attempt_at is 'no image of the host is fetched before this time';
comment on column shop.failing_host.error is 'why the last fetch failed';
