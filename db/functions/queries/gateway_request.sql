-- Requests the vectors of texts over the gateway and does not wait for them. The caller then asks for the vector of
-- each text, so that an encoder encodes all texts together. If too many requests wait, none is added.
create or replace function shop_private.gateway_request(p_model_id smallint, p_payloads bytea[])
returns void
language plpgsql volatile parallel restricted as $$
begin
    perform shop_private.gateway_open();
    perform @dblink@.dblink_exec('shop_gateway', format(
        'insert into shop_private.request (model_id, key, kind, payload)
        select %s, sha256(convert_to(''t'', ''UTF8'') || p), ''t'', p from unnest(%L::bytea[]) p
        where (select count(*) from (select from shop_private.request limit @gateway_max_requests@) r)
            < @gateway_max_requests@', p_model_id, p_payloads));
end $$;
