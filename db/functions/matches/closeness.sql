-- Returns how close two products are by one kind of distance. The result is 2 at distance 0, 1 at the threshold, and 0
-- from twice the threshold on. A null distance, or a threshold that is null or 0, gives 0. The function has no
-- search_path setting, so that PostgreSQL can inline it.
create or replace function shop_private.closeness(distance double precision, threshold double precision)
returns double precision
language sql immutable parallel safe
return greatest(0, 2 - distance / nullif(threshold, 0));
