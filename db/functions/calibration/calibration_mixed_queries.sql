-- Returns at most @calibration_mixes@ mixes of products as query vectors of unit length. A mix is the sum of the unit
-- vectors of the first images of two products. In every second mix, 0.5 times the unit vector of a third product is
-- subtracted from this sum. A mix shorter than @min_inputs_norm@ is left out. `inputs` holds the two vectors that each
-- mix adds, one after the other. The products are those with the largest product_ids. Because product_id is a hash,
-- they are a random sample.
create or replace function shop_private.calibration_mixed_queries(
    out mixes @vector@.halfvec[], out inputs @vector@.halfvec[]
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    drawn constant @vector@.vector[] := array(
        select v.embedding::@vector@.vector from shop.image_vector v where v.position = 0
        order by v.product_id desc limit 3 * @calibration_mixes@);
    half constant @vector@.vector :=
        array_fill(0.5::real, array[coalesce(@vector@.vector_dims(drawn[1]), 1)])::@vector@.vector;
    mix @vector@.vector;
begin
    mixes := '{}';
    inputs := '{}';
    for n in 1..cardinality(drawn) / 3 loop
        mix := @vector@.l2_normalize(drawn[3 * n - 2]) operator(@vector@.+) @vector@.l2_normalize(drawn[3 * n - 1]);
        if n % 2 = 0 then
            mix := mix operator(@vector@.-) (@vector@.l2_normalize(drawn[3 * n]) operator(@vector@.*) half);
        end if;
        continue when @vector@.vector_norm(mix) < @min_inputs_norm@;
        mixes := mixes || @vector@.l2_normalize(mix)::@vector@.halfvec;
        inputs := inputs || array[drawn[3 * n - 2]::@vector@.halfvec, drawn[3 * n - 1]::@vector@.halfvec];
    end loop;
end $$;
