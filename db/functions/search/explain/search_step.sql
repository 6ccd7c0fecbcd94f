-- The row type of shop.explain_search. `found` is the number of products that the step found; for the step rules, it is
-- the number of rules that act. `examined` is the number of rows that the step read to find these products. A number is
-- null if the step does not count it. `ms` of fusion is the time of the whole search. New columns are added at the end.
create type shop.search_step as (
    step text, route text, index_name text, ef_search integer, found integer, examined bigint, ms double precision,
    note text
);

comment on column shop.search_step.step is
    'calibration, query, filter, operators, synonyms, exact, image, title, keyword, correction, change, cut, sort, '
    'group, rules, "signal" and its name, other signals, fusion, or "sku" and a SKU if the argument sku is given';
comment on column shop.search_step.route is 'route of a leg, or a word about the result of another step';
comment on column shop.search_step.index_name is 'the index that the step used';
comment on column shop.search_step.ef_search is
    'hnsw.ef_search of the index scan, or the number of candidates of a scan by bits';
comment on column shop.search_step.found is 'number of products that the step found; null: the step counts no products';
comment on column shop.search_step.examined is 'number of rows that the step read; null: the step counts no rows';
comment on column shop.search_step.ms is 'time of the step, in milliseconds';
comment on column shop.search_step.note is 'further figures, for people to read';
