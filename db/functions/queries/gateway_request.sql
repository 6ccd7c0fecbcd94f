-- Requests the vectors of texts over the gateway and does not wait for them. An encoder can then encode the texts in
-- one batch. A later call of query_vector waits for one of these vectors, or finds it in the cache. A text that already
-- waits is not added again. If the connection is lost meanwhile, nothing is requested, and query_vector tries again. At
-- most @gateway_max_requests@ requests wait; further texts are left out.
create or replace function shop_private.gateway_request(p_model_id smallint, p_payloads bytea[])
returns void
language plpgsql volatile parallel restricted as $$
begin
    perform shop_private.gateway_open();
    begin
        perform @dblink@.dblink_exec('shop_gateway', format(
            'insert into shop_private.request (model_id, key, kind, payload)
            select %1$s, k.key, ''t'', p from unnest(%2$L::bytea[]) p, sha256(convert_to(''t'', ''UTF8'') || p) k(key)
            where not exists (select from shop_private.request r where r.model_id = %1$s and r.key = k.key)
            limit @gateway_max_requests@
                - (select count(*) from (select from shop_private.request limit @gateway_max_requests@) r);
            notify shop_request', p_model_id, p_payloads));
    exception when connection_exception or admin_shutdown or crash_shutdown then null;
    end;
end $$;
