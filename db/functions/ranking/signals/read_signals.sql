-- Reads the signals that the current role has defined, for the products of a search. For each role that defines
-- signals, shop.add_signal creates a function in shop_signals, which calls this function with the rights of the role.
-- So this function runs no code of another role.
--
-- Returns a row for each signal whose weight in the search is not 0, with the contribution of each product: weight
-- times value. The staff signals share one row without a name, unless the session may see them. A signal that cannot be
-- read contributes nothing, and `problem` says why. The text of an error may hold values of the view, so only the role
-- app sees it. The contribution of a product without a value is null. If p_asked is the name of a signal, the function
-- reads no other signal, and this one only if the session may see it. If p_product_ids is null, `contributions` are the
-- quantiles of the signal's values, and only the role app may call the function. If row level security hides products
-- from the role of the session, the function returns nothing, because the caller could ask for hidden products.
create or replace function shop_private.read_signals(p_product_ids uuid[], p_asked jsonb, p_rules bigint[])
returns setof shop_private.signal_part
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    staff constant boolean := shop_private.is_staff();
    chosen constant jsonb := shop_private.signal_weights(p_asked, p_rules);
    signal record;
    part shop_private.signal_part;
    read double precision[];
    hidden double precision[];
begin
    if p_product_ids is null and not staff then
        raise exception using errcode = '42501', message = 'the quantiles of a signal are for the role app only';
    end if;
    if not shop_private.session_sees_every_product() then
        return;
    end if;
    for signal in
        select s.name, s.visible, w.weight, f.oid as function
        from shop.signal s
        cross join lateral (select coalesce(case when staff or s.visible = 'all'
            then (chosen ->> s.name)::double precision end, s.weight)) w(weight)
        left join pg_proc f on f.oid = to_regprocedure(format('shop_signals.%I(uuid[])', s.name))
            and f.proowner = quote_ident(current_user)::regrole
        where s.defined_by = current_user and (w.weight <> 0 or p_product_ids is null)
            and (staff or s.visible = 'all' or jsonb_typeof(p_asked) is distinct from 'string')
    loop
        part := (signal.name, signal.weight, null, null, case
            when signal.function is null then 'the function of the signal is missing; drop the signal and add it again'
            when shop_private.timed_out() then 'the statement is out of time' end);
        read := null;
        begin
            if part.problem is null then
                execute format('select shop_signals.%I($1)', signal.name) into read using p_product_ids;
            end if;
        exception when query_canceled or others then
            if sqlstate = '57014' and not shop_private.timed_out() then
                raise;
            end if;
            part.problem := case when staff then sqlerrm else format('it cannot be read (SQLSTATE %s)', sqlstate) end;
        end;
        part.contributions := case when p_product_ids is null then read
            else array(select r * signal.weight from unnest(read) r) end;
        if staff or signal.visible = 'all' then
            part.found := (select count(*) from unnest(read) r where r <> 0);
            return next part;
        elsif read is not null then
            hidden := case when hidden is null then part.contributions else array(
                select coalesce(a + b, a, b) from unnest(hidden, part.contributions) u(a, b)) end;
        end if;
    end loop;
    if hidden is not null then
        return next (null, null, hidden, null, null)::shop_private.signal_part;
    end if;
end $$;
