-- Shows what a filter means: returns its condition as SQL, for people to read.
create or replace function shop.filter_sql(filter jsonb) returns text
language sql stable parallel safe return shop_private.filter_condition(filter);
