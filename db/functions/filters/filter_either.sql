-- Joins two conditions with "or". If one condition is null, the other is returned; two nulls give false.
create or replace function shop_private.filter_either(p_one text, p_other text) returns text
language sql immutable parallel safe
return coalesce('(' || p_one || ' or ' || p_other || ')', p_one, p_other, 'false');
