-- Runs further walks through the HNSW index, and adds the products that they find to a vector leg. The leg then ranks
-- all of its products by their distance from the query.
--
-- A single walk can end in a region of the graph that is far from the nearest products. Such a region lies between the
-- products of a mix, or in a neighbourhood of the query that the filter excludes. Each further walk therefore searches
-- near a start. The start is first moved towards the query: @start_pull@ times the query's vector is added to it. In
-- the first round, the starts are p_starts: the inputs of a mix with a positive weight, or sampled products that match.
-- In later rounds, the starts are the nearest products found so far, one product for each region (see next_starts). The
-- rounds end after round @start_rounds@, or earlier after a round that does not change the nearest p_k products.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the hnsw.* settings

create or replace function shop_private.leg_from_starts(
    p_part text, p_vector @vector@.halfvec, p_starts @vector@.halfvec[], p_condition text, p_k integer,
    p_depth integer, inout leg shop_private.leg
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
set hnsw.iterative_scan = off
set hnsw.ef_search = @start_candidates@
as $$
declare
    began constant timestamptz := clock_timestamp();
    pull constant @vector@.halfvec := p_vector operator(@vector@.*)
        array_fill(@start_pull@::real, array[@vector@.vector_dims(p_vector::@vector@.vector)])::@vector@.halfvec;
    starts @vector@.halfvec[] := p_starts;
    used @vector@.halfvec[] := '{}';
    start @vector@.halfvec;
    target @vector@.halfvec;
    found shop_private.candidate[] := array(select (l.product_id, l.position, l.distance)::shop_private.candidate
        from unnest(leg.product_ids, leg.positions, leg.measures) l(product_id, position, distance));
    walked shop_private.candidate[];
    nearest uuid[] := leg.product_ids[:p_k];
    merged shop_private.leg;
begin
    for round in 1..@start_rounds@ loop
        foreach start in array coalesce(starts, '{}') loop
            target := @vector@.l2_normalize(start operator(@vector@.+) pull);
            if p_part = 'image' then
                select array_agg((w.product_id, w.position, w.embedding operator(@vector@.<=>) p_vector)
                    ::shop_private.candidate) into walked from (
                    select i.product_id, i.position, i.embedding from shop.image_vector i
                    order by i.embedding operator(@vector@.<=>) target limit @start_candidates@) w;
            else
                select array_agg((w.product_id, w.position, w.embedding operator(@vector@.<=>) p_vector)
                    ::shop_private.candidate) into walked from (
                    select t.product_id, t.position, t.embedding from shop.title_vector t
                    order by t.embedding operator(@vector@.<=>) target limit @start_candidates@) w;
            end if;
            used := used || start;
            leg.rows_examined := coalesce(leg.rows_examined, 0) + coalesce(cardinality(walked), 0);
            found := found || shop_private.matching_candidates(walked, p_condition);
        end loop;
        merged := shop_private.leg_from_candidates(found, greatest(p_depth, @start_choice@));
        exit when round > 1 and merged.product_ids[:p_k] is not distinct from nearest;
        nearest := merged.product_ids[:p_k];
        starts := shop_private.next_starts(p_part, merged, used);
    end loop;
    leg.product_ids := merged.product_ids[:p_depth];
    leg.positions := merged.positions[:p_depth];
    leg.measures := merged.measures[:p_depth];
    leg.ms := coalesce(leg.ms, 0) + extract(epoch from clock_timestamp() - began) * 1000;
end $$;
