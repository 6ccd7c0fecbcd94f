-- Vectors a model has already given to pictures with these very bytes, so that they need not be encoded again. One a
-- hash; a hash nobody has seen has none. A vector counts only if it is of the bytes the picture has now.
create or replace function shop_private.known_vectors(p_model_id smallint, p_sources bytea[])
returns table (source bytea, embedding @vector@.halfvec)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp
-- A shop without statistics, or with one picture for all that have none, looks as if reading the table were as good.
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
