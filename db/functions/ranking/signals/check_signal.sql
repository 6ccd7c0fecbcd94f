-- Raises an error if an argument of shop.add_signal cannot be used, or if there are already @max_signals@ signals.
create or replace function shop_private.check_signal(
    p_name text, p_view text, p_key text, p_normalise text, p_half_life interval, p_weight double precision,
    p_visible text, p_catalog text
)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    relation constant regclass := to_regclass(p_view);
    wrong text := case
        when p_name is null or p_name !~ '^[a-z][a-z0-9_]{0,39}$'
            then 'name must be 1 to 40 small letters, digits and underscores, and begin with a letter'
        when p_key is null or p_key not in ('product_id', 'sku') then 'key must be product_id or sku'
        when p_normalise is null or p_normalise not in ('percentile', 'log', 'decay')
            then format('there is no normalisation %L', p_normalise)
        when p_half_life <= interval '0' or p_half_life = 'infinity' then 'half_life must be a finite time above 0'
        when p_half_life is not null and p_normalise <> 'decay' then 'half_life needs normalise => ''decay'''
        when p_weight is null or p_weight not between -@max_signal_weight@ and @max_signal_weight@
            then 'weight must be from -@max_signal_weight@ to @max_signal_weight@'
        when p_visible is null or p_visible not in ('all', 'staff') then 'visible must be all or staff'
        when p_catalog is not null and p_key = 'product_id' then 'catalog needs key => ''sku''' end;
begin
    if wrong is not null then
        raise exception using errcode = '22023', message = wrong,
            hint = 'normalise is percentile, log or decay; key is product_id or sku; visible is all or staff.';
    end if;
    if relation is null or not exists (select from pg_class c where c.oid = relation and c.relkind in ('r', 'v', 'm',
        'p', 'f') and c.relpersistence <> 't')
    then
        raise exception using errcode = '42704', message = format('there is no view or table %L', p_view),
            hint = 'Write the schema too, such as erp.margin. A temporary table cannot be a signal.';
    end if;
    if not has_schema_privilege((select c.relnamespace from pg_class c where c.oid = relation), 'usage')
        or not has_any_column_privilege(relation, 'select')
    then
        raise exception using errcode = '42501', message = format('%s may not read %s', current_user, relation),
            hint = 'Grant this role SELECT on it, and USAGE on its schema.';
    end if;
    if exists (select from shop.signal s where s.name = p_name) then
        raise exception using errcode = '42710', message = format('there is already a signal %L', p_name),
            hint = 'Choose another name, or remove the signal with shop.drop_signal first.';
    end if;
    if (select count(*) from shop.signal) >= @max_signals@ then
        raise exception using errcode = '54000', message = 'there are already @max_signals@ signals',
            hint = 'Remove a signal with shop.drop_signal first.';
    end if;
end $$;
