-- Returns the SQL condition of one operator of column p_field, or of effective_price. p_operator is eq, in, lt, lte,
-- gt, gte, exists, contains or prefix. p_kind is the kind of the column (see filter_kind). p_place is the path of the
-- operator in the filter; error messages show this path. In the condition, the column stands alone on one side of the
-- SQL operator, so that PostgreSQL can use the column's index. A column of whole numbers is compared with any number,
-- such as 0.5.
create or replace function shop_private.filter_column(
    p_field text, p_kind text, p_operator text, p_operand jsonb, p_place text
) returns text language plpgsql stable parallel safe as $$
declare
    sign constant text := '{"eq": "=", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}'::jsonb ->> p_operator;
    value constant text := case p_field
        when 'effective_price' then 'shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at)'
        else 'p.' || quote_ident(p_field) end;
    is_whole constant boolean := p_field in ('quantity', 'review_count');
    typed constant text := case when is_whole then '::numeric' else '' end;
    items text[];
    or_null boolean;
begin
    if p_operator = 'exists' or p_operator = 'eq' and p_operand = 'null' then
        return value || case p_operand when 'true' then ' is not null' else ' is null' end;
    elsif p_operator = 'in' then
        select i.* into items, or_null from shop_private.filter_items(p_kind, p_operand, p_place) i;
        return shop_private.filter_either(
            case when items <> '{}' then format(
                '%s = any (%L%s)', value, items, case when is_whole then '::numeric[]' end) end,
            case when or_null then value || ' is null' end);
    elsif p_operator in ('contains', 'prefix') then
        return format('%s ilike %L', value,
            shop_private.filter_pattern(p_operator, shop_private.filter_value(p_kind, p_operand, p_place)));
    end if;
    return format('%s %s %L%s', value, sign, shop_private.filter_value(p_kind, p_operand, p_place), typed);
end $$;
