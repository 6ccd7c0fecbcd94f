-- Returns the ILIKE pattern that matches exactly this text: anywhere (contains) or at the start (prefix).
create or replace function shop_private.filter_pattern(p_operator text, p_text text) returns text
language sql immutable parallel safe
return case p_operator when 'contains' then '%' else '' end || regexp_replace(p_text, '([\\%_])', '\\\1', 'g') || '%';
