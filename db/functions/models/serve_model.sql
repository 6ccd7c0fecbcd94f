-- Makes p_model the serving model, in the caller's transaction. The function first replaces the four views over the
-- vectors. Then it replaces model_of_views, the function that returns the model whose vectors the views show. With
-- p_model null, the function creates the views again for the model that is serving now. If no model is serving, the
-- views are empty and searches report that no model is serving. model_to_serve explains p_force.
--
-- A product that still has a work item of the earlier model can become searchable through the switch, because p_model
-- may have encoded the product already. If there is a watch (a stored search that reports new matches), the function
-- therefore passes these products to watch_note. If no model served before, it passes every product whose title is
-- encoded.
--
-- A reader locks a view when it first reads it, and holds the lock until the transaction of the reader ends. The
-- function shop_private.serving reads shop.searchable, and so locks it too. The switch therefore waits for these
-- readers, and later readers wait for the switch. The caller's lock_timeout limits the wait for all views together; a
-- longer wait ends with an error.
create or replace function shop_private.serve_model(p_model text default null, p_force boolean default false)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    model shop.model;
    view text;
    lock_timeout constant integer := (select setting::integer from pg_settings where name = 'lock_timeout');
    began timestamptz;
    before smallint;
    fresh uuid[];
begin
    if p_model is null then
        select * into model from shop.model where status = 'serving';
    else
        model := shop_private.model_to_serve(p_model, p_force);
    end if;

    began := clock_timestamp();
    -- The order of the views is the order in which readers lock them (see serving.sql).
    foreach view in array array['searchable_image', 'searchable', 'image_vector', 'title_vector'] loop
        if lock_timeout > 0 then
            perform set_config('lock_timeout', greatest(1, lock_timeout
                - extract(epoch from clock_timestamp() - began) * 1000)::integer::text, true);
        end if;
        execute format('select shop_private.create_%s($1)', view) using model.name;
    end loop;
    perform set_config('lock_timeout', lock_timeout::text, true);
    perform shop_private.create_model_of_views(model);

    if p_model is not null then
        update shop.model set status = 'building' where status = 'serving' and name <> p_model
        returning model_id into before;
        update shop.model set status = 'serving' where name = p_model and status <> 'serving';
        if found then
            if not exists (select from shop.watch) then
                fresh := '{}';
            elsif before is null then
                execute format('select array_agg(t.product_id) from shop.%I t', model.name || '_title') into fresh;
            else
                fresh := array(select distinct w.product_id from shop_private.work w where w.model_id = before);
            end if;
            perform shop_private.watch_note(model.model_id, fresh);
            insert into shop.serving_history (model, revision) values (model.name, model.revision);
        end if;
    end if;
end $$;

select shop_private.serve_model();
