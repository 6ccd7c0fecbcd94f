-- Returns the cached vector of a query, or null. The function is VOLATILE, so that each call has a new snapshot. Inside
-- a long statement, a call therefore sees a vector that an encoder has just committed.
create or replace function shop_private.gateway_lookup(p_model_id smallint, p_key bytea)
returns @vector@.halfvec
language plpgsql volatile parallel restricted as $$
begin
    return (select e.embedding from shop_private.query_embedding e where e.model_id = p_model_id and e.key = p_key);
end $$;
