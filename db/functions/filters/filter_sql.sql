-- Returns the SQL condition of a filter, so that people can read what the filter means.
create or replace function shop.filter_sql(filter jsonb) returns text
language sql stable parallel safe return shop_private.filter_condition(filter);
