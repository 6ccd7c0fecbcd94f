-- Returns the SQL expression that computes, as text, the group of a product p (shop.product) for the option group_by.
-- The expression is null for 'image'. by_index tells whether an index finds the products of a group. Raises an error
-- for an unknown field, and for a wrong path of an attribute.
create or replace function shop_private.group_field(p_field text, out expression text, out by_index boolean)
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    indexed constant text[] := '{item_group_id,brand,product_type}';
    texts constant text[] := '{availability,currency,gtin,mpn,title,color,size,material,condition}';
    others constant text[] := '{price,effective_price,quantity,rating,review_count,published_at}';
begin
    by_index := p_field = any (indexed);
    expression := case
        when p_field = any (indexed || texts) then format('p.%I', p_field)
        when p_field = 'effective_price'
            then 'shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at)::text'
        when p_field = any (others) then format('p.%I::text', p_field)
        when starts_with(p_field, 'attributes.') then format('(%s)', shop_private.attribute_text(p_field, 'group_by'))
        end;
    if expression is null and p_field <> 'image' then
        raise exception using errcode = '22023',
            message = format('group_by has no field %s', to_jsonb(left(p_field, 80))),
            hint = format('The fields are %s, attributes.<key>, and image for products with nearly equal images.',
                array_to_string(indexed || texts || others, ', '));
    end if;
end $$;
