-- Raises an error if a key of p_relation (its columns p_keys) has two rows, or if a value is NaN or infinite.
create or replace function shop_private.check_signal_rows(
    p_relation regclass, p_column text, p_type regtype, p_keys text[]
)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    keys constant text := (select string_agg(format('v.%I', k), ', ' order by n)
        from unnest(p_keys) with ordinality u(k, n));
    doubled text;
    wrong text;
begin
    execute format('select concat_ws('' '', %s) from %s v where num_nulls(%s) = 0 group by %s '
        'having count(*) > 1 limit 1', keys, p_relation, keys, keys) into doubled;
    if doubled is not null then
        raise exception using errcode = '22023', message = format('%s has two rows for %s', p_relation, doubled),
            hint = 'A signal has at most one number for each product. Aggregate the rows in a view.';
    end if;
    if p_type in ('numeric'::regtype, 'real'::regtype, 'double precision'::regtype) then
        execute format('select concat_ws('' '', %s) from %s v '
            'where v.%I = ''NaN'' or v.%I in (''infinity'', ''-infinity'') limit 1',
            keys, p_relation, p_column, p_column) into wrong;
        if wrong is not null then
            raise exception using errcode = '22023',
                message = format('the value of %s in %s is NaN or infinite', wrong, p_relation),
                hint = 'Exclude such rows in a view. A product without a number has the value 0.';
        end if;
    end if;
end $$;
