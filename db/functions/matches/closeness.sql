-- Returns how close two products are by one distance: 1 at the threshold, 2 at distance 0, and 0 from twice the
-- threshold on. A null distance or threshold gives 0. The function has no search_path setting, so that it is inlined.
create or replace function shop_private.closeness(distance double precision, threshold double precision)
returns double precision
language sql immutable parallel safe
return greatest(0, 2 - distance / nullif(threshold, 0));
