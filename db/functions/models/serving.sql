-- The model that serves. Whoever asks keeps it until the transaction ends: reading shop.searchable holds that view, and
-- only then is the question put, to a function that a switch replaces in the same transaction as the views. The other
-- way round, a switch in between would leave the old answer beside the new vectors. It is shop.searchable for all, ahead
-- of any other view but shop.searchable_image, as a switch takes them: no two wait for each other.
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
