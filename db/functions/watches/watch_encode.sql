-- Returns the vector of a watch's text and image under a model, from the cache of query vectors. If a vector is not in
-- the cache, the function requests it and returns null; no request is added while @watch_requests@ or more requests
-- wait. If an encoder has refused the text or the image, `refused` is the reason.
create or replace function shop_private.watch_encode(
    p_model_id smallint, p_query text, p_image bytea, out vector @vector@.halfvec, out refused text
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    part record;
    found_vector @vector@.halfvec;
    by_text @vector@.halfvec;
    by_image @vector@.halfvec;
    complete boolean := true;
begin
    for part in
        select v.kind, v.payload, sha256(convert_to(v.kind, 'UTF8') || v.payload) as key
        from (values ('t', convert_to(p_query, 'UTF8')), ('i', p_image)) v(kind, payload) where v.payload is not null
    loop
        found_vector := shop_private.gateway_lookup(p_model_id, part.key);
        by_text := case part.kind when 't' then found_vector else by_text end;
        by_image := case part.kind when 'i' then found_vector else by_image end;
        continue when found_vector is not null;
        complete := false;
        select r.error into refused from shop_private.request r
        where r.model_id = p_model_id and r.key = part.key and r.error is not null limit 1;
        if refused is not null then
            return;
        end if;
        insert into shop_private.request (model_id, key, kind, payload)
        select p_model_id, part.key, part.kind, part.payload
        where not exists (select from shop_private.request r where r.model_id = p_model_id and r.key = part.key)
          and (select count(*) from shop_private.request) < @watch_requests@;
        perform pg_notify('shop_request', '');
    end loop;
    if complete then
        vector := shop_private.watch_mean(by_text, by_image);
    end if;
end $$;
