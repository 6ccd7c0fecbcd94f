-- Translates a filter (docs/filters.md), a JSON object, into one SQL condition on p (shop.product). Searches and other
-- functions, such as shop.browse and shop.zero_shot, put this condition into their queries. A filter that is null or {}
-- gives the condition 'true'. Three rules keep the condition safe and fast:
--   * every value and every key is a quoted literal (%L, which is correct under either setting of
--     standard_conforming_strings), and every column is in the list of filter_kind; no text from a caller becomes SQL;
--   * filter_value checks each value against the kind of its field, so the condition raises no error on any row;
--   * an indexed column stands alone on its side of an operator, so that PostgreSQL can use the index.
--
-- The filter functions that this function calls run with the search_path of this function.
create or replace function shop_private.filter_condition(filter jsonb) returns text
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if filter is null or filter = 'null' or filter = '{}' then
        return 'true';
    end if;
    if pg_column_size(filter) > 1048576 then
        raise exception using errcode = '54000', hint = 'Spread the conditions over several searches.',
            message = format('the filter is too large: %s bytes; at most 1048576 (1 MB) are allowed',
                pg_column_size(filter));
    end if;
    return (shop_private.filter_group(filter, null, 0, 0)).condition;
end $$;
