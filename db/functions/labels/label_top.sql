-- Returns the top of a path such as "Apparel > Shoes > Boots": the part before the first ">", in lower case, or null if
-- this part is blank. The result is in lower case because the filter operator prefix ignores the case. The function has
-- no SET clause, so that the planner can inline it.
create or replace function shop_private.label_top(p_path text) returns text
language sql stable parallel safe as $$ select nullif(lower(btrim(split_part(p_path, '>', 1))), '') $$;
