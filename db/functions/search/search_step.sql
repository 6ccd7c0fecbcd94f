-- The row type of shop.explain_search. found is how many products the step found, null where none are counted; examined
-- is how many rows it read for that. New columns come at the end.
create type shop.search_step as (
    step text, route text, index_name text, ef_search integer, found integer, examined bigint, ms double precision,
    note text
);
