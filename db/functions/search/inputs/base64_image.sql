-- Decodes p_text, the base64 text of an image in an entry of `inputs` (a parameter of shop.search), and returns the
-- image's bytes. Raises an error if p_text has more than @max_image_base64@ characters or is not base64.
create or replace function shop_private.base64_image(p_text text)
returns bytea
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if length(p_text) > @max_image_base64@ then
        raise exception using errcode = '22023', message = 'the image is larger than 10 MB',
            hint = 'Scale the image down; models look at 224 to 512 pixels.';
    end if;
    begin
        return decode(p_text, 'base64');
    exception when invalid_parameter_value then
        raise exception using errcode = '22023', message = 'the image of an input is not base64',
            hint = 'Write the image with encode(bytea, ''base64'').';
    end;
end $$;
