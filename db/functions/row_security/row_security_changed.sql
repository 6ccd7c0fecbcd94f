-- Calls follow_row_security after a command that alters shop.product or shop.product_image (for example its row level
-- security), creates a policy other than Windowshop's own (windowshop_follow, windowshop_pass), or creates a table in
-- schema shop. The event trigger windowshop_row_security runs the function. Only a superuser may create an event
-- trigger. Without this trigger, only "windowshop db upgrade" calls follow_row_security.
create or replace function shop_private.row_security_changed()
returns event_trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set quote_all_identifiers = off as $$
begin
    if exists (
        select from pg_event_trigger_ddl_commands() c
        where c.classid = 'pg_class'::regclass
                and c.objid in ('shop.product'::regclass, 'shop.product_image'::regclass)
            or c.command_tag = 'CREATE TABLE' and c.schema_name = 'shop'
            or c.command_tag = 'CREATE POLICY' and c.object_identity !~ '^(windowshop_follow|windowshop_pass) on ')
    then
        perform shop_private.follow_row_security();
    end if;
end $$;
