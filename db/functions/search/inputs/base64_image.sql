-- Returns the bytes of an image that an entry of inputs contains in base64 (p_text). Raises an error for a text that is
-- too long or is not base64.
create or replace function shop_private.base64_image(p_text text)
returns bytea
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if length(p_text) > @max_image_base64@ then
        raise exception using errcode = '22023', message = 'the image is too large: at most 10 MB',
            hint = 'Scale the image down; models look at 224 to 512 pixels.';
    end if;
    begin
        return decode(p_text, 'base64');
    exception when invalid_parameter_value then
        raise exception using errcode = '22023', message = 'the image of an input is not base64',
            hint = 'Write it with encode(bytea, ''base64'').';
    end;
end $$;
