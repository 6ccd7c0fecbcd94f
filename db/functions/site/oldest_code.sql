-- Returns the oldest code, as the revision that it was written for, whose processes work with this schema.
create or replace function shop_private.oldest_code()
returns text
language sql immutable parallel safe as $$ select '@serves@' $$;
