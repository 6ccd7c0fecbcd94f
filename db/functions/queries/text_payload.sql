-- Returns the bytes of a query text. An encoder encodes these bytes, and the cache key is computed from them. Raises an
-- error for a text that is blank or too long.
create or replace function shop_private.text_payload(p_query text)
returns bytea
language plpgsql stable parallel safe as $$
begin
    if p_query !~ E'\\S' then
        raise exception using errcode = '22023', message = 'the query text is empty',
            hint = 'Describe what the product looks like, for example ''black leather backpack''.';
    end if;
    if length(p_query) > @max_text_length@ then
        raise exception using errcode = '22023', hint = 'Shorten the text; a model reads about 60 words.',
            message = format(
                'the query text is too long: %s characters; at most @max_text_length@ are allowed', length(p_query));
    end if;
    return convert_to(p_query, 'UTF8');
end $$;
