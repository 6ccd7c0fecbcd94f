-- The row type of shop.explain_search. New columns come at the end.
create type shop.search_step as (
    step text, route text, index_name text, ef_search integer, found integer, examined bigint, ms double precision,
    note text
);
