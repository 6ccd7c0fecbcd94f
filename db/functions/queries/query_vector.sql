-- Returns the vector of a text (p_kind is 't') or an image (p_kind is 'i'). The vector comes from the cache, or from an
-- encoder through the gateway. Callers check the input first, so that no invalid request is queued. This function has
-- no SET clause, because a SET clause would make a cached query slower by a tenth. The SECURITY DEFINER functions that
-- call this function set search_path.
create or replace function shop_private.query_vector(p_model_id smallint, p_kind text, p_payload bytea)
returns @vector@.halfvec
language plpgsql volatile parallel restricted as $$
declare
    vector @vector@.halfvec;
begin
    if p_model_id is null then
        raise exception using errcode = 'WS005', message = 'no model is serving',
            hint = 'Add a model with "windowshop model add starter", then "windowshop model serve starter".';
    end if;
    vector := shop_private.gateway_lookup(p_model_id, sha256(convert_to(p_kind, 'UTF8') || p_payload));
    -- Search is read-only, so cache hits and misses are reported as DEBUG notices; the web service counts them.
    if vector is not null then
        raise debug using errcode = 'WS103', message = 'query vector: cached';
    else
        raise debug using errcode = 'WS104', message = 'query vector: to be encoded';
        vector := shop_private.gateway_fetch(p_model_id, p_kind, p_payload);
    end if;
    return vector;
end $$;
