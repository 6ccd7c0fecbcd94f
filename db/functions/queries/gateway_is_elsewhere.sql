-- Returns whether the gateway leads to another database. In a copy that was made from a dump or a template, the gateway
-- leads to the original until "windowshop db upgrade" or "windowshop db adopt" is run in the copy. The version of the
-- foreign server shop_primary is the identity of the database to which the gateway leads. A foreign server without a
-- version comes from an earlier release; the function assumes that it leads to this database.
create or replace function shop_private.gateway_is_elsewhere() returns boolean
language sql stable as $$
    select exists (select from pg_catalog.pg_foreign_server s
        where s.srvname = 'shop_primary' and s.srvversion <> shop_private.database_identity())
$$;
