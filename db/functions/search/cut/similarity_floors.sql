-- Returns the floors of a search's cut. A floor is the lowest cosine similarity to the query with which an image or a
-- title passes the cut. image_floor is null if the search does not rank by images, and title_floor if it does not rank
-- by titles. Both floors are null if the query is a text that is not recognised (see below).
--
-- A floor lies one or more standard deviations above the mean similarity of this query to the vectors of the catalog. A
-- floor therefore fits each model and each kind of query. The number of deviations grows with the catalog. So in every
-- large catalog, about a hundred unrelated products reach the floor by chance.
--
-- Some products reach the floor even if the query is a text without meaning. For this reason, a query that is only a
-- text has floors only if the text is recognised. A text is recognised in two cases:
--   (1) a product has one of the text's words. The caller then passes p_known = true;
--   (2) the nearest image or title is far more similar to the text than chance explains. The unit of this comparison is
--       the larger of two standard deviations: that of the similarities of this text, and that of the similarities of
--       product titles (typical_deviation). The second is needed because the similarities to a text without meaning
--       vary less.
-- For a query with an image or with inputs, the caller always passes p_known = true. If p_by_index is true, the index
-- of the vectors finds the nearest image or title.
--
-- A sample of fewer than @cut_least_vectors@ vectors does not show which similarity is usual. In this case, the text is
-- taken as recognised, and every image or title with a vector passes.
create or replace function shop_private.similarity_floors(
    p_run shop_private.search_run, p_settings shop_private.search_settings, p_catalog text, p_known boolean,
    p_by_index boolean,
    out image_floor double precision, out title_floor double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    in_catalog constant text := shop_private.catalog_condition(p_catalog);
    recognised boolean := p_known;
    part record;
    background record;
    deviation double precision;
    lowest double precision;
begin
    for part in
        select v.* from (values
            ('image', p_run.image_weight, p_run.image_vector, p_settings.image_table, p_settings.image_bits),
            ('title', p_run.title_weight, p_run.title_vector, p_settings.title_table, p_settings.title_bits)
        ) v(name, weight, vector, vectors, bits)
        where v.weight > 0
    loop
        background := shop_private.similarity_background(part.vector, part.vectors, in_catalog);
        if background.vectors < @cut_least_vectors@ then
            background.mean := -1;
            background.deviation := 0;
            recognised := true;
        end if;
        lowest := background.mean + background.deviation
            * greatest(1, sqrt(2 * ln(1 + background.rows / @cut_unrelated@)));
        image_floor := case part.name when 'image' then lowest else image_floor end;
        title_floor := case part.name when 'title' then lowest else title_floor end;
        continue when recognised;
        deviation := greatest(background.deviation,
            shop_private.typical_deviation(p_settings.title_table, part.vectors));
        recognised := shop_private.nearest_similarity(part.name, part.bits, part.vector, in_catalog, p_by_index)
            >= background.mean + deviation
                * @cut_recognised@ * sqrt(2 * ln(greatest(@cut_least_vectors@, background.rows)));
    end loop;
    if not recognised then
        image_floor := null;
        title_floor := null;
    end if;
end $$;
