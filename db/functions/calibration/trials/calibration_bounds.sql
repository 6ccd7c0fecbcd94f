-- Finds a bound for each query of a calibration, and stores the bounds in calibration_list as step 'bounds'. A bound is
-- a cosine distance to the query. Within the bound are at least k products that meet p_condition, besides the query's
-- own product. If fewer products meet p_condition, all of them are within the bound. p_condition is an SQL condition on
-- a row p of shop.product. p_table stores the image vectors. Returns true, or false if the time p_until has come; a
-- later call then continues.
--
-- A bound is the distance of a match that the index found, so the index can only make a bound too large. If the index
-- finds too few matches, for example because products have many images, the function compares all products that meet
-- the condition. If too few products meet the condition, the bound is 2, the largest cosine distance.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the settings of scans

create or replace function shop_private.calibration_bounds(
    p_run shop_private.calibration_run, p_condition text, p_table regclass, p_until timestamptz
)
returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set enable_sort = off
set hnsw.iterative_scan = relaxed_order
set hnsw.ef_search = @max_ef_search@
set ivfflat.iterative_scan = relaxed_order
set ivfflat.probes = @bit_lists@
as $$
declare
    matches constant integer := p_run.k + 1;  -- one match may be the query's own product
    bits constant integer := (shop_private.search_settings()).image_bits;
    bound double precision;
begin
    for n in 1 + (select count(*) from shop_private.calibration_list l where l.step = 'bounds')
            ..cardinality(p_run.vectors) loop
        execute format(
            'select max(b.distance) from (
                select min(c.distance) as distance from (
                    select i.product_id, i.embedding operator(@vector@.<=>) $1 as distance
                    from shop.image_vector i order by %s limit @max_ef_search@) c
                join shop.product p on p.product_id = c.product_id where %s
                group by c.product_id order by 1 limit $2) b
            having count(*) = $2', shop_private.scan_order(bits, '$1'), p_condition)
        into bound using p_run.vectors[n], matches;
        if bound is null then
            bound := (shop_private.exact_leg(
                'image', p_run.vectors[n], p_condition, null, matches, 1, p_table)).measures[matches];
        end if;
        insert into shop_private.calibration_list (step, condition, query, distances)
        values ('bounds', 1, n, array[coalesce(bound, 2)]);
        if clock_timestamp() >= p_until then
            return false;
        end if;
    end loop;
    return true;
end $$;
