-- Returns the weight of a signal in a search: the weight that the search asks for, otherwise the weight of the first
-- rule of p_rules that names the signal, otherwise p_default. If the caller may not see the signal (p_seen), neither
-- its options nor rules choose the weight, because a search by this signal alone would show its values. The function
-- has no SET clause, because it runs under the settings of its callers.
create or replace function shop_private.signal_weight(
    p_name text, p_default double precision, p_seen boolean, p_asked jsonb, p_rules bigint[]
)
returns double precision
language sql stable as $$
    select coalesce(case when p_seen then (p_asked ->> p_name)::double precision end,
        case when p_seen and p_rules is not null then (
            select (r.action -> 'signals' ->> p_name)::double precision from shop.rule r
            where r.rule_id = any(p_rules) and r.action -> 'signals' ? p_name
            order by r.priority desc, r.rule_id limit 1) end,
        p_default)
$$;
