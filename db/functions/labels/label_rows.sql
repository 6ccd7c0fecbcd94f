-- Returns the number of vectors in the index of a label, as stored in pg_class, or null if the label has no valid
-- index. A label is a frequent value of a field; the products with this value have an index of their own. p_part is
-- image or title. The function needs no SET clause, because it runs under the search_path of run_search or vector_leg.
create or replace function shop_private.label_rows(p_model text, p_part text, p_label_id integer)
returns double precision
language sql stable as $$
    select c.reltuples from pg_class c join pg_index x on x.indexrelid = c.oid and x.indisvalid
    where c.oid = to_regclass('shop.' || quote_ident(p_model || '_' || p_part || '_label_' || p_label_id))
$$;
