-- Returns the bytes of a query image. An encoder encodes these bytes, and the cache key is computed from them. Raises
-- an error for an image that is empty or too large.
create or replace function shop_private.image_payload(p_image bytea)
returns bytea
language plpgsql stable parallel safe as $$
begin
    if length(p_image) = 0 then
        raise exception using errcode = '22023', message = 'the image is empty: 0 bytes';
    end if;
    if length(p_image) > @max_image_bytes@ then
        raise exception using errcode = '22023', hint = 'Scale the image down; models look at 224 to 512 pixels.',
            message = format(
                'the image is too large: %s bytes; at most @max_image_bytes@ (10 MB) are allowed', length(p_image));
    end if;
    return p_image;
end $$;
