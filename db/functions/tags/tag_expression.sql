-- Returns the SQL that reads the value of `field` from p (shop.product). This value is the known tag of a product.
-- `field` is one of the columns that are listed below, or a path into the attributes of a product. A path is written as
-- in filters: a dot goes one level down, and "\." is a dot in a key. A blank value is read as null.
create or replace function shop_private.tag_expression(field text)
returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    columns constant text[] := '{availability,brand,color,condition,currency,gtin,item_group_id,material,mpn,'
        'product_type,size}';
    path text[];
begin
    if field = any (columns) then
        return format('nullif(btrim(p.%I), '''')', field);
    end if;
    path := regexp_split_to_array(substr(left(field, 1000), 12), E'(?<!\\\\)[.]');
    if field like 'attributes.%' and '' <> all (path) then
        return format('nullif(btrim(p.attributes #>> %L), '''')',
            array(select replace(k.key, E'\\.', '.') from unnest(path) with ordinality k(key, n) order by k.n));
    end if;
    raise exception using errcode = '22023',
        message = format('%s is not a field that tags can be read from',
            coalesce(quote_literal(left(field, 80)), 'null')),
        hint = format('Tags can be read from: %s, and attributes.<key>.', array_to_string(columns, ', '));
end $$;
