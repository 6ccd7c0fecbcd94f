-- Creates the function shop_private.model_of_views. The created function returns the model whose vectors the views
-- show, or nulls if no model is serving.
--
-- The created function contains the model as literals. If it looked the model up in shop.model, it could return the new
-- model inside a transaction that still reads the vectors of the old model. The created function has no SET clause,
-- because a SET clause would make a query with a cached vector slower by a tenth.
create or replace function shop_private.create_model_of_views(p_model shop.model)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $create$
begin
    execute format($f$
        create or replace function shop_private.model_of_views(
            out model_id smallint, out model text, out revision text, out dimension integer,
            out image_table regclass, out title_table regclass
        ) language plpgsql stable parallel safe as $$
        begin
            model_id := %1$s; model := %2$L; revision := %3$L; dimension := %4$s;
            image_table := pg_catalog.to_regclass(%5$L); title_table := pg_catalog.to_regclass(%6$L);
        end $$;
        $f$,
        coalesce(p_model.model_id::text, 'null'), p_model.name, p_model.revision,
        coalesce(p_model.dimension::text, 'null'),
        'shop.' || quote_ident(p_model.name || '_image'), 'shop.' || quote_ident(p_model.name || '_title'));
end $create$;
