-- Returns the key by which a search finds the rules with the condition p_condition. For a `query` condition, the key is
-- made of all words of the text. For a `contains` condition, it is made of the first word, and for a `category`
-- condition of the category. All other conditions share the key 'other'.
create or replace function shop_private.rule_lookup(p_condition jsonb)
returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select case
        when p_condition ? 'query' then 'query ' || md5(shop_private.text_key(p_condition ->> 'query'))
        when p_condition ? 'contains' then 'word ' || md5(split_part(
            shop_private.text_key(p_condition ->> 'contains'), ' ', 1))
        when p_condition ? 'category' then 'category ' || md5(p_condition ->> 'category')
        else 'other' end
$$;
