-- Joins p_one and p_other, two SQL conditions, with "or". If one of the two is null, returns the one that is not
-- null; if both are null, returns 'false'.
create or replace function shop_private.filter_either(p_one text, p_other text) returns text
language sql immutable parallel safe
return coalesce('(' || p_one || ' or ' || p_other || ')', p_one, p_other, 'false');
