-- Measures searches for mixes of products, with the settings of p_settings. A mix is the sum of the vectors of two
-- images of the catalog. In every second mix, half of the vector of a third image is subtracted from this sum. Returns
-- an entry for shop.calibration.measured, or null if the catalog is so small that a search for a mix compares all
-- products.
create or replace function shop_private.calibration_mixes(p_k integer, p_settings shop_private.search_settings)
returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    drawn constant @vector@.vector[] := array(
        select v.embedding::@vector@.vector from shop.image_vector v where v.position = 0
        order by md5(v.product_id::text || 'mix') limit 3 * @calibration_mixes@);
    half constant @vector@.vector :=
        array_fill(0.5::real, array[@vector@.vector_dims(drawn[1])])::@vector@.vector;
    mix @vector@.vector;
    mixes @vector@.halfvec[] := '{}';
    starts @vector@.halfvec[] := '{}';
    tried record;
begin
    if p_settings.products <= greatest(p_settings.exact_limit, @compare_limit@) then
        return null;
    end if;
    for n in 1..cardinality(drawn) / 3 loop
        mix := @vector@.l2_normalize(drawn[3 * n - 2]) operator(@vector@.+) @vector@.l2_normalize(drawn[3 * n - 1]);
        if n % 2 = 0 then
            mix := mix operator(@vector@.-) (@vector@.l2_normalize(drawn[3 * n]) operator(@vector@.*) half);
        end if;
        continue when @vector@.vector_norm(mix) < @min_inputs_norm@;
        mixes := mixes || @vector@.l2_normalize(mix)::@vector@.halfvec;
        starts := starts || array[drawn[3 * n - 2]::@vector@.halfvec, drawn[3 * n - 1]::@vector@.halfvec];
    end loop;
    tried := shop_private.calibration_routes(mixes, starts, 'true', 1, p_k, p_settings);
    raise info 'mixes of products: recall % (lower bound %)', round(tried.recall::numeric, 3),
        round(tried.lowest::numeric, 3);
    return jsonb_build_object('filter', 1, 'kind', 'mixes', 'candidates', tried.candidates, 'recall', tried.recall,
        'lowest', tried.lowest, 'ms', tried.ms);
end $$;
