-- Returns the ILIKE pattern that finds p_text anywhere (p_operator is contains) or at the start (p_operator is prefix).
-- The characters "%", "_" and "\" in p_text match only themselves.
create or replace function shop_private.filter_pattern(p_operator text, p_text text) returns text
language sql immutable parallel safe
return case p_operator when 'contains' then '%' else '' end
    || regexp_replace(p_text, E'([\\\\%_])', E'\\\\\\1', 'g') || '%';
