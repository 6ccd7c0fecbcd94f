-- Finds the exact nearest products of a run's queries under each filter of calibration_conditions, and stores them in
-- calibration_list as step 'nearest products'. Returns whether the lists of all queries are complete; if not, a later
-- call continues. p_table stores the image vectors.
create or replace function shop_private.calibration_nearest(
    p_run shop_private.calibration_run, p_table regclass, p_until timestamptz
)
returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    conditions constant text[] := (shop_private.calibration_conditions()).conditions;
begin
    -- A product that meets the last condition meets the others too, so a bound for the last one is valid for all.
    if not shop_private.calibration_bounds(p_run, conditions[cardinality(conditions)], p_table, p_until) then
        return false;
    end if;
    return shop_private.calibration_truth('nearest products', p_run.vectors, p_run.own_products,
        array(select l.distances[1] from shop_private.calibration_list l where l.step = 'bounds' order by l.query),
        conditions, p_run.k, p_table, p_until);
end $$;
