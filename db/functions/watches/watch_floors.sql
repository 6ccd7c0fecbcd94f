-- Returns the least cosine similarities at which an image and a title match the vector of a watch. A floor lies at
-- least @watch_deviations@ standard deviations above the mean similarity of this vector to the vectors of the catalog.
-- A floor therefore fits each model and each kind of query. In a large catalog, it equals the floor of a cut (see
-- similarity_floors). image_floor is null if the catalog has fewer than @cut_least_vectors@ image vectors; title_floor
-- is null if it has fewer title vectors than that.
create or replace function shop_private.watch_floors(
    p_model text, p_catalog text, p_vector @vector@.halfvec,
    out image_floor double precision, out title_floor double precision
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    in_catalog constant text := format('p.catalog = %L', p_catalog);
    part text;
    vectors regclass;
    background record;
    lowest double precision;
begin
    foreach part in array array['image', 'title'] loop
        vectors := format('shop.%I', p_model || '_' || part)::regclass;
        background := shop_private.similarity_background(p_vector, vectors, in_catalog);
        continue when background.vectors < @cut_least_vectors@;
        lowest := background.mean
            + background.deviation * greatest(@watch_deviations@, sqrt(2 * ln(1 + background.rows / @cut_unrelated@)));
        image_floor := case part when 'image' then lowest else image_floor end;
        title_floor := case part when 'title' then lowest else title_floor end;
    end loop;
end $$;
