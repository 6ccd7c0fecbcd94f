-- Returns the vectors that a model has already computed for images with the content hashes p_sources, so that images
-- with the same bytes are not encoded again. The result has one row for each hash with a known vector. A vector is
-- known only if it was computed from the present bytes of an image.
create or replace function shop_private.known_vectors(p_model_id smallint, p_sources bytea[])
returns table (source bytea, embedding @vector@.halfvec)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
-- The settings make the planner use an index. Without statistics, or if many products have the same placeholder image,
-- the planner would read the whole table.
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off as $$
declare
    model constant text := (select m.name from shop.model m where m.model_id = p_model_id and m.status <> 'retired');
begin
    if model is null then
        return;
    end if;
    return query execute format(
        'select s.source, known.embedding::@vector@.halfvec
         from (select distinct unnest($1)) s(source)
         cross join lateral (
             select v.embedding
             from shop.product_image i join shop.%I v using (product_id, position)
             where i.sha256 = s.source and v.source = s.source
             limit 1
         ) known', model || '_image')
    using p_sources;
end $$;
