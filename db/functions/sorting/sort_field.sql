-- Returns the SQL expression on p (shop.product) by which a key of the option `sort` orders products. is_money tells
-- whether the key is a price, because prices of different currencies cannot be compared. A key that is no field may
-- be the name of a signal: then `expression` is null. Raises an error if there is no such field or signal; the error
-- suggests a similar name if one exists. An order by a staff signal would reveal its values, so only the role app may
-- sort by such a signal.
--
-- Capitals and accents of a text make no difference (see shop_private.fold). The availability has the order in_stock,
-- preorder, backorder, out_of_stock. The discount is the share by which the effective price is below the higher one of
-- price and compare_at_price. The sort key of an attribute is its value, if this value is a number or a text that is a
-- number. Otherwise the sort key is null. A null key comes last in both directions.
create or replace function shop_private.sort_field(p_field text, out expression text, out is_money boolean)
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    effective constant text := 'shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at)';
    texts constant text[] :=
        '{sku,title,brand,product_type,currency,gtin,mpn,item_group_id,color,size,material,condition}';
    money constant text[] := '{price,effective_price,sale_price,compare_at_price}';
    numbers constant text[] := '{quantity,rating,review_count,discount}';
    times constant text[] := '{created_at,updated_at,sale_starts_at,sale_ends_at,published_at}';
    value text;
    signals text[];
    nearest text;
begin
    is_money := p_field = any (money);
    expression := case
        when p_field = 'effective_price' then effective
        when p_field = 'availability' then 'array_position(array[''in_stock'', ''preorder'', ''backorder'', '
            '''out_of_stock''], p.availability)'
        when p_field = 'discount' then format('case when %1$s < greatest(p.price, p.compare_at_price) '
            'then 1 - %1$s / greatest(p.price, p.compare_at_price) end', effective)
        when p_field = any (times) then format('extract(epoch from p.%I)', p_field)
        when p_field = any (texts) then format('shop_private.fold(p.%I) collate "C"', p_field)
        when p_field = any (money || numbers) then format('p.%I', p_field) end;
    if expression is not null then
        return;
    end if;
    if starts_with(p_field, 'attributes.') then
        value := shop_private.attribute_text(p_field, 'sort');
        expression := format('case when (%1$s) ~ ''^-?[0-9]{1,30}([.][0-9]{1,30})?([eE][-+]?[0-9]{1,2})?$'' '
            'then (%1$s)::numeric end', value);
        return;
    end if;
    signals := array(select s.name from shop.signal s where s.visible = 'all' or shop_private.is_staff() order by 1);
    if p_field = any (signals) then
        return;
    elsif exists (select from shop.signal s where s.name = p_field) then
        raise exception using errcode = '22023',
            message = format('only the role app can sort by the signal %L', p_field),
            hint = 'The signal is visible to staff only, and an order by it would reveal its values.';
    end if;
    select n.name into nearest
    from (select f.name, @trgm@.similarity(f.name, left(p_field, 80)) as alike
          from unnest(texts || money || numbers || times || signals || '{availability}') f(name)) n
    where n.alike >= 0.3 order by n.alike desc, n.name limit 1;
    raise exception using errcode = '22023',
        message = format('sort has no field %s', to_jsonb(left(p_field, 80)))
            || coalesce('; did you mean "' || nearest || '"?', ''),
        hint = format('Fields are %s, and attributes.<key> for numeric attributes. Signals are %s.',
            array_to_string(money || numbers || times || '{availability}' || texts, ', '),
            array_to_string(signals, ', '));
end $$;
