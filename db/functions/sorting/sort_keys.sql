-- Parses the option `sort`: one to @max_sort_keys@ keys, separated by commas. A key is a field or a signal (see
-- sort_field) and optionally asc or desc. A field whose name has a blank, a comma or a quote is written in double
-- quotes.
--
--   select * from shop_private.sort_keys('availability, "attributes.net weight" desc');
--
-- keys          the SQL expressions of the keys, on p (shop.product); the expression of a signal is
--               s.v1 if it is the first key, s.v2 if it is the second, and so on
-- descending    for each key, whether larger values come first
-- ordering      the columns k1, k2, ... and product_id as an ORDER BY list; nulls are last in both directions
-- money         the field of the first price among the keys; null without a price
-- has_money     an SQL condition: the product has a value for at least one of the keys that are prices
-- signals       the name of the signal of each key; null for a field
create or replace function shop_private.sort_keys(
    p_sort text, out keys text[], out descending boolean[], out ordering text, out money text, out has_money text,
    out signals text[]
)
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    rest text := p_sort;
    part text[];
    field text;
    fields text[] := '{}';
    prices text[] := '{}';
    expression text;
    is_money boolean;
begin
    if length(p_sort) > @max_sort_length@ then
        raise exception using errcode = '54000', message = format('sort is too long: %s characters', length(p_sort)),
            hint = 'sort has at most @max_sort_length@ characters.';
    end if;
    loop
        part := regexp_match(rest,
            E'^\\s*(?:"((?:[^"]|"")+)"|([^\\s,"]+))(?:\\s+(asc|desc))?\\s*(,|$)(.*)$', 'i');
        if part is null then
            raise exception using errcode = '22023', message = format('sort cannot be read at %L', left(rest, 80)),
                hint = 'Write for example effective_price desc, or availability, effective_price. A name with a blank '
                    'or a comma stands in double quotes.';
        end if;
        field := coalesce(replace(part[1], '""', '"'), part[2]);
        if field = any (fields) or cardinality(fields) = @max_sort_keys@ then
            raise exception using errcode = '22023', message = case when field = any (fields)
                    then format('sort names %s twice', to_jsonb(left(field, 80)))
                    else 'sort has more than @max_sort_keys@ keys' end,
                hint = 'Further keys order only the products whose earlier keys are equal.';
        end if;
        fields := fields || field;
        select f.expression, f.is_money into expression, is_money from shop_private.sort_field(field) f;
        signals := signals || case when expression is null then field end;
        keys := keys || coalesce(expression, 's.v' || cardinality(signals));
        descending := descending || coalesce(lower(part[3]) = 'desc', false);
        ordering := concat_ws(', ', ordering, format('k%s%s nulls last', cardinality(keys),
            case when lower(part[3]) = 'desc' then ' desc' end));
        if is_money then
            money := coalesce(money, field);
            prices := prices || format('%s is not null', expression);
        end if;
        rest := part[5];
        exit when part[4] = '';
    end loop;
    ordering := ordering || ', product_id';
    has_money := coalesce(nullif(array_to_string(prices, ' or '), ''), 'false');
end $$;
