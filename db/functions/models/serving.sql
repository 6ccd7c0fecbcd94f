-- Returns the serving model, or nulls if no model is serving. The result stays the same until the caller's transaction
-- ends. To ensure this, the function first reads the view shop.searchable, which locks the view. Only then does it call
-- model_of_views, because a switch replaces model_of_views in the same transaction as the views. If the function called
-- model_of_views first, a switch between the two steps would combine the old model with the new vectors.
--
-- A function that calls this one thus locks shop.searchable before the views of vectors. A reader of
-- shop.searchable_image locks that view before shop.searchable. A switch locks the views in the same order, which
-- avoids deadlocks.
create or replace function shop_private.serving(
    out model_id smallint, out model text, out revision text, out dimension integer, out image_table regclass,
    out title_table regclass
)
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    m record;
begin
    perform from shop.searchable limit 0;
    m := shop_private.model_of_views();
    model_id := m.model_id; model := m.model; revision := m.revision; dimension := m.dimension;
    image_table := m.image_table; title_table := m.title_table;
end $$;
