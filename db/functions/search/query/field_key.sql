-- Returns the key by which a value of a query's operator and the value of a product's field are compared. Letter case,
-- accents and punctuation make no difference, except for decimals: 4.5 and 4,5 have one key, and 45 has another. The
-- function needs no SET clause, because it runs under the search_path of its callers.
create or replace function shop_private.field_key(p_value text)
returns text
language plpgsql immutable parallel safe as $$
begin
    if p_value ~ '[0-9][.,][0-9]' then
        return concat_ws(' ', shop_private.identifier_key(p_value), (
            select string_agg(m[1] || '.' || m[2], ' ')
            from regexp_matches(shop_private.mark_decimals(p_value), E'([0-9]+)\\ue001([0-9]+)', 'g') m));
    end if;
    return shop_private.identifier_key(p_value);
end $$;
