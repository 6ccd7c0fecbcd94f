-- Returns the bytes of a query image. An encoder encodes these bytes, and the cache key is computed from them. Raises
-- an error for an image that is empty or too large.
--
-- With p_box, the bytes begin with a line that names a region of the image (see db/images/regions.py), so the region
-- has a cache key of its own. p_box is left, top, width and height, as shares of the width and height of the upright
-- image. Raises an error if p_box is not a list of 4 finite numbers, or if the region has no area or reaches outside
-- the image.
create or replace function shop_private.image_payload(p_image bytea, p_box double precision[] default null)
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
    if p_box is null then
        return p_image;
    end if;
    if array_ndims(p_box) is distinct from 1 or cardinality(p_box) <> 4 or array_position(p_box, null) is not null
        or 'NaN' = any(p_box) or 'Infinity' = any(p_box) or '-Infinity' = any(p_box)
    then
        raise exception using errcode = '22023',
            message = format('image_box is not a list of 4 numbers: %s', left(p_box::text, 80)),
            hint = 'Write left, top, width and height as shares of the image, such as ''{0.25, 0, 0.5, 1}''.';
    end if;
    p_box := p_box[array_lower(p_box, 1):];
    if least(p_box[3], p_box[4]) <= 0 then
        raise exception using errcode = '22023', message = 'image_box has no area',
            hint = 'The third and the fourth number are the width and the height, and must be more than 0.';
    end if;
    if least(p_box[1], p_box[2]) < 0 or greatest(p_box[1] + p_box[3], p_box[2] + p_box[4]) > 1 + 1e-9 then
        raise exception using errcode = '22023',
            message = format('image_box reaches outside the image: %s', left(p_box::text, 80)),
            hint = 'left + width and top + height are at most 1.';
    end if;
    return convert_to(format(E'windowshop-region %s %s %s %s\n', p_box[1], p_box[2], p_box[3], p_box[4]), 'UTF8')
        || p_image;
end $$;
