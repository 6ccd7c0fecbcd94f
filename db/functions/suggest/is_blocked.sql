-- Returns whether a text may not be suggested, because the text or one of its words is in p_blocked. p_folded and the
-- texts in p_blocked are results of suggestion_key. A word ends at a blank, and also at a hyphen or any other character
-- that is no letter and no digit.
create or replace function shop_private.is_blocked(p_folded text, p_blocked text[])
returns boolean
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select cardinality(p_blocked) > 0
        and p_folded || string_to_array(p_folded, ' ') || regexp_split_to_array(p_folded, '[^[:alnum:]]+') && p_blocked
$$;
