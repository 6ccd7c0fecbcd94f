-- Reads the signals that have a weight in a search, for p_product_ids. The built-in signals are read with the rights of
-- the caller, and each other signal with the rights of the role that defined it. Returns rows as read_signals does. If
-- p_product_ids is null, the signals of every role are read.
--
-- The functions in shop_signals belong to roles that may change them. So signal_parts calls such a function only if it
-- is SECURITY DEFINER and belongs to the role whose signals it reads. If the caller has the rights of the role @owner@,
-- the role whose signals are read must have these rights too.
create or replace function shop_private.signal_parts(p_product_ids uuid[], p_asked jsonb, p_rules bigint[])
returns setof shop_private.signal_part
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    chosen constant jsonb := shop_private.signal_weights(p_asked, p_rules);
    weights jsonb;  -- of the built-in signals in use
    reader record;
    problem text;
begin
    select jsonb_object_agg(s.name, w.weight) into weights
    from shop.signal s
    cross join lateral (select coalesce((chosen ->> s.name)::double precision, s.weight)) w(weight)
    where s.defined_by is null and w.weight <> 0;
    if weights is not null and shop_private.timed_out() then
        return query
        select w.key, w.value::double precision, null::double precision[], null::integer,
            'the statement is out of time' from jsonb_each_text(weights) w;
    elsif weights is not null then
        return query
        select b.* from shop_private.built_in_signals(p_product_ids, weights) b;
    end if;
    for reader in
        select d.defined_by, n.name, f.prosecdef and f.proowner = r.oid as sound,
            not pg_has_role('@owner@', 'usage') or pg_has_role(r.oid, '@owner@'::regrole, 'usage') as trusted
        from (select distinct s.defined_by from shop.signal s where s.defined_by is not null and (p_product_ids is null
            or s.weight <> 0 and jsonb_typeof(p_asked) is distinct from 'string'
            or (chosen ->> s.name)::double precision <> 0)) d
        cross join lateral (select shop_private.signal_reader(d.defined_by::name)) n(name)
        left join pg_roles r on r.rolname = d.defined_by
        left join pg_proc f on f.oid = to_regprocedure(format('shop_signals.%I(uuid[], jsonb, bigint[])', n.name))
    loop
        problem := case when reader.sound is not true then format(
                'the function that reads the signals of %s is missing or changed', reader.defined_by)
            when not reader.trusted then format(
                'signals of %s are not read for an administrator; SET ROLE first', reader.defined_by)
            when not shop_private.sees_every_product() then format(
                'signals of %s are not read for a role that row level security limits', reader.defined_by)
            when shop_private.timed_out() then 'the statement is out of time' end;
        if problem is null then
            begin
                return query execute format('select * from shop_signals.%I($1, $2, $3)', reader.name)
                using p_product_ids, p_asked, p_rules;
            exception when query_canceled or others then
                if sqlstate = '57014' and not shop_private.timed_out() then
                    raise;
                end if;
                problem := case when shop_private.is_staff() then sqlerrm
                    else format('they cannot be read (SQLSTATE %s)', sqlstate) end;
            end;
        end if;
        if problem is not null then
            return next (null, null, null, null, problem)::shop_private.signal_part;
        end if;
    end loop;
end $$;
