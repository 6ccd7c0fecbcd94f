-- Raises an error if a signal that ranks searches cannot be read. Searches leave such a signal out, so shop.what_if
-- could compare pages with the signal to pages without it. Also raises an error if statement_timeout has passed. A
-- caller that has read all signals holds a lock on their sources, so no other session can drop a source before the end
-- of the transaction.
create or replace function shop_private.require_signals()
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    unread record;
begin
    select s.name, s.problem into unread from shop.signal_state() s
    where s.problem is not null and (s.weight <> 0
        or exists (select from shop.rule r where r.status = 'live' and r.action -> 'signals' ? s.name))
    order by s.name limit 1;
    if shop_private.timed_out() then
        raise exception using errcode = '57014', message = 'canceling statement due to statement timeout';
    elsif unread.name is not null then
        raise exception using errcode = '55000',
            message = format('signal %L cannot be read: %s', unread.name, unread.problem),
            hint = 'Try again later, or repair the signal; shop.signal_state() shows its problem.';
    end if;
end $$;
