-- Processes of some older releases work with this schema. Returns the schema revision of the oldest such release.
create or replace function shop_private.oldest_code()
returns text
language sql immutable parallel safe as $$ select '@serves@' $$;
