-- Returns what the scans for a vector leg read. A vector leg is a ranking by image or by title (p_part).
-- p_settings.labels lists the labels of the search. A label is a value of a field; the products with this value have
-- HNSW indexes of their own. `vectors` is the SQL of a source with the columns product_id, position and embedding: the
-- vectors of the label if p_settings.labels has one label, otherwise the view of all vectors. `index` names the HNSW
-- indexes of the labels. Without labels, `index` is the name of the index of all vectors, or null if there is none.
-- `bits` is null if the index of the source has vectors; if it has bits, `bits` is the dimension of the vectors.
-- `share` is the fraction of all products that have one of the labels, or 1 without labels. With labels, ef_search
-- suits the number of their vectors: an index of a small label needs few candidates, but at least @default_ef_min@.
-- `route` is 'label', 'bit' or 'hnsw'. The function needs no SET clause, because it runs under the search_path of
-- vector_leg.
create or replace function shop_private.leg_source(
    p_part text, p_settings shop_private.search_settings, out vectors text, out index text, out bits integer,
    out share double precision, out ef_search double precision, out route text
)
language plpgsql stable parallel safe as $$
declare
    by_image constant boolean := p_part = 'image';
    whole constant double precision :=
        greatest(1, case when by_image then p_settings.images else p_settings.products end);
begin
    vectors := format('shop.%I', p_part || '_vector');
    index := case when by_image then p_settings.image_index else p_settings.title_index end;
    bits := case when by_image then p_settings.image_bits else p_settings.title_bits end;
    share := 1;
    ef_search := case when bits is null then p_settings.ef_search else p_settings.bit_candidates end;
    route := case when bits is null then 'hnsw' else 'bit' end;
    if p_settings.labels is null then
        return;
    end if;
    -- An index of a label has only the vectors of this label, so walks for several labels (see leg_from_starts) read
    -- the index of all vectors.
    if cardinality(p_settings.labels) = 1 then
        vectors := format('(select v.product_id, %s as position, v.embedding from shop.%I v where v.label_id = %s)',
            case when by_image then 'v.position' else '0::smallint' end,
            format('%s_%s_label', p_settings.model, p_part), p_settings.labels[1]);
        bits := null;
    end if;
    index := (select string_agg(format('shop.%I', format('%s_%s_label_%s', p_settings.model, p_part, l)), ', ')
        from unnest(p_settings.labels) l);
    share := greatest(1, p_settings.label_titles) / greatest(1, p_settings.products);
    ef_search := least(@max_ef_search@, greatest(@default_ef_min@, @label_ef_factor@ * p_settings.ef_search * sqrt(
        case when by_image then p_settings.label_images else p_settings.label_titles end / whole)));
    route := 'label';
end $$;
