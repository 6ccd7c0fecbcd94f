-- Tells whether a search meets p_condition, the condition of a rule. p_key is the key of the search's text (see
-- text_key), and p_filter is the filter of the search. A `similar` condition is not tested here, but in search_rules
-- and rule_replaces. A `filter` condition is met if the filter of the search has every field of the condition with the
-- same value. The function has no SET clause and no subquery, so that the planner can inline it. It runs under the
-- settings of its callers.
create or replace function shop_private.rule_fits(p_condition jsonb, p_key text, p_filter jsonb)
returns boolean
language sql stable parallel safe as $$
    select case
        when p_condition ? 'query' then shop_private.text_key(p_condition ->> 'query') = p_key
        when p_condition ? 'contains' then strpos(' ' || p_key || ' ',
            ' ' || shop_private.text_key(p_condition ->> 'contains') || ' ') > 0
        when p_condition ? 'filter' then p_filter || (p_condition -> 'filter') = p_filter
        when p_condition ? 'category' then p_filter ->> 'product_type' = p_condition ->> 'category'
        else p_condition ? 'always' end
$$;
