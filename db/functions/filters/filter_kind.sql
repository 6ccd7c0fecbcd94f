-- Returns the kind of a field: text, number, time or attribute. Raises an error if there is no such field; the error
-- suggests a similar name if one exists. p_place is the path of the object that contains the field, or null for the
-- filter itself; the error message shows this path.
create or replace function shop_private.filter_kind(p_field text, p_place text) returns text
language plpgsql stable parallel safe as $$
declare
    texts constant text[] := '{sku,title,description,brand,product_type,currency,availability,gtin,mpn,item_group_id,'
        'link,image_link,color,size,material,condition}';
    numbers constant text[] := '{price,effective_price,sale_price,compare_at_price,quantity,rating,review_count}';
    times constant text[] := '{created_at,updated_at,sale_starts_at,sale_ends_at,published_at}';
    nearest text;
begin
    if p_field = any (texts) then
        return 'text';
    elsif p_field = any (numbers) then
        return 'number';
    elsif p_field = any (times) then
        return 'time';
    elsif starts_with(p_field, 'attributes.') then
        return 'attribute';
    end if;
    select n.name into nearest
    from (select f.name, @trgm@.similarity(f.name, left(p_field, 80)) as alike
          from unnest(texts || numbers || times || '{and,or,not}') f(name)) n
    where n.alike >= 0.3 order by n.alike desc, n.name limit 1;
    raise exception using errcode = '22023',
        message = format('%s has no field %s', concat_ws(' ', 'filter', p_place), to_jsonb(left(p_field, 80)))
            || coalesce('; did you mean "' || nearest || '"?', ''),
        hint = format('Fields are %s, and attributes.<key> for all others.',
            array_to_string(texts || numbers || times, ', '));
end $$;
