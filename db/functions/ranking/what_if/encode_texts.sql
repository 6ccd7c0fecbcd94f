-- Puts the vectors of texts into the query cache. Texts that are blank or too long for a vector are left out. Encoders
-- encode up to 32 missing texts together. Like shop.clip_text, the function reads the serving model and the cache with
-- the rights of its owner.
create or replace function shop_private.encode_texts(p_texts text[])
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    model smallint;
    missing bytea[];
begin
    perform from shop.searchable limit 0;
    model := (shop_private.model_of_views()).model_id;
    missing := array(
        select distinct shop_private.text_payload(t) from unnest(p_texts) t
        where t ~ E'\\S' and length(t) <= @max_text_length@
            and shop_private.gateway_lookup(model, sha256(convert_to('t' || t, 'UTF8'))) is null);
    for start in 1 .. cardinality(missing) by 32 loop
        perform shop_private.gateway_request(model, missing[start : start + 31]);
        perform shop_private.query_vector(model, 't', p) from unnest(missing[start : start + 31]) p;
    end loop;
end $$;
