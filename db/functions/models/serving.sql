-- Returns the serving model, or nulls if no model is serving. The model stays the same until the caller's transaction
-- ends. To ensure this, the function first locks the view shop.searchable by reading it, and only then calls
-- model_of_views, which a switch replaces in the same transaction as the views. In the other order, a switch between
-- the two reads would combine the old model with the new vectors.
--
-- Every reader locks shop.searchable before the views of vectors, and shop.searchable_image, if it reads that view,
-- before shop.searchable. A switch uses the same order, so that no two sessions wait for each other.
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
