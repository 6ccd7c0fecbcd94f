-- Removes a signal. If it was the last signal of its role, the function that reads the signals of this role is removed
-- too. Only the role that defined the signal, or an administrator, may remove it. Raises an error if the signal is
-- built in, or if no signal has this name.
create or replace function shop.drop_signal(name text)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    signal constant shop.signal := (select s from shop.signal s where s.name = drop_signal.name);
begin
    if signal.name is null then
        raise exception using errcode = '42704', message = format('there is no signal %L', name);
    end if;
    if signal.defined_by is null then
        raise exception using errcode = '22023', message = format('%L is a built-in signal', name),
            hint = 'Set its weight to 0 in shop.signal.';
    end if;
    execute format('drop function if exists shop_signals.%I(uuid[])', name);
    delete from shop.signal s where s.name = drop_signal.name;
    if not exists (select from shop.signal s where s.defined_by = signal.defined_by) then
        execute format('drop function if exists shop_signals.%I(uuid[], jsonb, bigint[])',
            shop_private.signal_reader(signal.defined_by::name));
    end if;
end $$;
