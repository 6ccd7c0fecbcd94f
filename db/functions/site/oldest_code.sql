-- Returns the schema revision of the oldest release whose processes work with this schema.
create or replace function shop_private.oldest_code()
returns text
language sql immutable parallel safe as $$ select '@serves@' $$;
