-- Raises an error if an argument of shop.facets is out of range or names an unknown field. The caller has removed
-- repeated fields from p_fields.
create or replace function shop_private.check_facets(p_fields text[], p_limit_values integer, p_buckets integer)
returns void
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    columns constant text[] := shop_private.facet_columns();
    field text;
begin
    if cardinality(p_fields) not between 1 and @max_facet_fields@ then
        raise exception using errcode = '22023', message = format('%s fields were requested', cardinality(p_fields)),
            hint = 'Name 1 to @max_facet_fields@ fields.';
    end if;
    if p_limit_values is null or p_limit_values not between 1 and @max_facet_values@ then
        raise exception using errcode = '22023',
            message = format('limit_values is %s', coalesce(p_limit_values::text, 'null')),
            hint = 'limit_values is the number of values listed for each field: 1 to @max_facet_values@.';
    end if;
    if p_buckets is null or p_buckets not between 1 and @max_facet_buckets@ then
        raise exception using errcode = '22023', message = format('buckets is %s', coalesce(p_buckets::text, 'null')),
            hint = 'buckets is the largest number of ranges for a numeric field: 1 to @max_facet_buckets@.';
    end if;
    foreach field in array p_fields loop
        if field is null or field <> all (array['price', 'effective_price'] || columns)
            and (not starts_with(field, 'attributes.') or field = 'attributes.') then
            raise exception using errcode = '22023',
                message = format('facets cannot be counted over %s', coalesce(quote_literal(field), 'a null field')),
                hint = format('The fields are: price, %s, effective_price, attributes.<name>',
                    array_to_string(columns, ', '));
        end if;
    end loop;
end $$;
