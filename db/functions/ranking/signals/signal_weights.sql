-- Returns the weights of signals that a search sets, as an object of names and weights. Without weights, the result is
-- null or an empty object. p_asked has the weights that the caller asks for; rules set the weights of other signals. If
-- several rules of p_rules set the weight of a signal, the rule with the highest priority decides; among equal
-- priorities, the rule with the lowest rule_id. If p_asked is the name of a signal, this signal has the weight 1, and
-- the others have 0. For a signal that the caller may not see, the search ignores the result and uses the weight in
-- shop.signal. If the search used another weight, such as a weight for this signal alone, its scores could show the
-- values of the signal. The function needs no SET clause, because it runs under the search_path of its callers.
create or replace function shop_private.signal_weights(p_asked jsonb, p_rules bigint[])
returns jsonb
language plpgsql stable as $$
begin
    if jsonb_typeof(p_asked) = 'string' then
        return (select jsonb_object_agg(s.name, (s.name = p_asked #>> '{}')::integer) from shop.signal s);
    elsif p_rules is null then
        return p_asked;
    end if;
    -- jsonb_object_agg keeps the last of several values of a key: the one of the rule that decides
    return (
        select coalesce(jsonb_object_agg(e.key, e.value order by r.priority, r.rule_id desc), '{}')
        from shop.rule r cross join lateral jsonb_each(r.action -> 'signals') e
        where r.rule_id = any(p_rules) and r.action ? 'signals') || coalesce(p_asked, '{}');
end $$;
