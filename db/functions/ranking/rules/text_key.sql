-- Returns the words in the first @keyword_max_length@ characters of a text, in lower case, without accents and
-- punctuation, separated by single blanks. Rules compare texts by this key.
create or replace function shop_private.text_key(p_text text)
returns text
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select btrim(regexp_replace(shop_private.fold(left(p_text, @keyword_max_length@)), '[^[:alnum:]]+', ' ', 'g'))
$$;
