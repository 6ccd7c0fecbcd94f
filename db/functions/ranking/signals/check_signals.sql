-- Checks p_signals, the option `signals` of a search. Raises an error if it is not an object, if a key is not the name
-- of a signal that the caller may see, or if a value is not a valid weight. A caller without the rights of the role app
-- may not see staff signals.
create or replace function shop_private.check_signals(p_signals jsonb)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    entry record;
begin
    if jsonb_typeof(p_signals) <> 'object' then
        raise exception using errcode = '22023', message = 'signals must be an object of names and weights',
            hint = 'For example: {"popularity": 0.3}.';
    end if;
    for entry in select e.key, e.value from jsonb_each(p_signals) e loop
        if not exists (select from shop.signal s where s.name = entry.key
            and (s.visible = 'all' or shop_private.is_staff()))
        then
            raise exception using errcode = '22023', message = format('there is no signal %L', left(entry.key, 100)),
                hint = format('The signals are %s.', (select string_agg(s.name, ', ' order by s.name)
                    from shop.signal s where s.visible = 'all' or shop_private.is_staff()));
        end if;
        if jsonb_typeof(entry.value) <> 'number' or scale((entry.value #>> '{}')::numeric) > 300
            or (entry.value #>> '{}')::numeric not between -@max_signal_weight@ and @max_signal_weight@
        then
            raise exception using errcode = '22023', message = format(
                    'the weight of signal %L must be a number from -@max_signal_weight@ to @max_signal_weight@',
                    entry.key),
                hint = 'A weight of 1 counts as much as the first rank of a leg.';
        end if;
    end loop;
end $$;
