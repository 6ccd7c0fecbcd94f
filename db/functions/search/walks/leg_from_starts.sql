-- Runs further walks through the index of p_source, and adds the products that they find to a vector leg (a ranking by
-- image or title). A walk is a scan near another vector than the query. The leg then ranks all of its products by their
-- distance from the query. p_bits says what the index stores (see leg_source), and p_condition is a condition on p
-- (shop.product), or null (see scan_condition).
--
-- A single walk can end in a region of the graph that is far from the nearest products. This can happen for a mix (a
-- query of several inputs), whose vector lies between the products that resemble the inputs. It can also happen under a
-- filter that excludes the neighbourhood of the query. Each further walk therefore searches near another vector, its
-- start. Before the walk, the start is moved towards the query: a multiple of the query's vector is added to it. The
-- factor is @start_pull@. Under a far filter (see docs/glossary.md), the factor is @far_first_pull@ in the first round
-- and @far_pull@ in later rounds.
--
-- For a mix, the starts of the first round are the inputs with a positive weight (p_starts). If a filter excludes the
-- query's neighbourhood, p_sampled lists sampled products that match, nearest first; otherwise it is null. If p_sampled
-- is not null, a walk to the shifted query (see shifted_query) comes before the first round. The first round then also
-- starts from the nearest of the sampled and found products. In later rounds, the starts are the nearest products found
-- so far that lie far enough from each other and from all earlier starts (see next_starts). The rounds end after round
-- @start_rounds@. From the second round on, they also end after a round that does not change the nearest p_k products.
--
-- A walk has @start_candidates@ candidates if m of the index is 16. If m is larger, the number is divided by m / 16: a
-- candidate then takes more time, because it has more neighbours, but fewer candidates find as many products. A walk
-- through an index over bits takes @bit_walk_factor@ times as many candidates. If the index is IVFFlat, the walk reads
-- the nearest @bit_walk_lists@ lists.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads pgvector, which defines the settings of scans

create or replace function shop_private.leg_from_starts(
    p_part text, p_source text, p_bits integer, p_vector @vector@.halfvec, p_starts @vector@.halfvec[],
    p_sampled shop_private.candidate[], p_condition text, p_k integer, p_depth integer, inout leg shop_private.leg
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
set ivfflat.iterative_scan = off
set ivfflat.probes = @bit_walk_lists@
as $$
declare
    began constant timestamptz := clock_timestamp();
    query constant @vector@.vector := p_vector::@vector@.vector;
    pull @vector@.vector;  -- a multiple of the query that is added to each start
    m constant integer := (
        select max(o.option_value) from pg_class c, pg_options_to_table(c.reloptions) o
        where c.oid = any(string_to_array(leg.index_name, ', ')::regclass[]) and o.option_name = 'm');
    factor constant double precision :=
        16.0 / greatest(16, m) * case when p_bits is null then 1 else @bit_walk_factor@ end;
    starts @vector@.halfvec[] := p_starts;
    used @vector@.halfvec[] := '{}';
    shifted @vector@.halfvec;
    walked record;
    found shop_private.candidate[] := array(select (l.product_id, l.position, l.distance)::shop_private.candidate
        from unnest(leg.product_ids, leg.positions, leg.measures) l(product_id, position, distance)) || p_sampled;
    nearest uuid[] := leg.product_ids[:p_k];
    merged shop_private.leg;
begin
    leg.rows_examined := coalesce(leg.rows_examined, 0) + coalesce(cardinality(p_sampled), 0);
    if p_sampled is not null then
        merged := shop_private.leg_from_candidates(found, @start_choice@);
        shifted := case when p_condition is not null
            then shop_private.shifted_query(p_source, p_bits, p_vector, p_condition, merged) end;
        if shifted is not null then
            walked := shop_private.walks(p_source, p_bits, p_vector, array[shifted], p_condition,
                least(@max_ef_search@, @shift_candidates@ * factor)::integer);
            leg.rows_examined := leg.rows_examined + @shift_neighbours@ + walked.examined;
            found := found || walked.matching;
            merged := shop_private.leg_from_candidates(found, @start_choice@);
        end if;
        starts := starts || shop_private.next_starts(p_part, merged, coalesce(starts, '{}'), true);
    end if;
    for round in 1..@start_rounds@ loop
        if cardinality(starts) > 0 then
            -- In half precision, the multiplication raises an error if a number of the query is smaller than 1e-7.
            pull := query operator(@vector@.*) array_fill((case when p_sampled is null then @start_pull@
                when round = 1 then @far_first_pull@ else @far_pull@ end)::real,
                array[@vector@.vector_dims(query)])::@vector@.vector;
            walked := shop_private.walks(p_source, p_bits, p_vector,
                array(select @vector@.l2_normalize(s::@vector@.vector operator(@vector@.+) pull)::@vector@.halfvec
                    from unnest(starts) s), p_condition, (@start_candidates@ * factor)::integer);
            leg.rows_examined := leg.rows_examined + walked.examined;
            found := found || walked.matching;
            used := used || starts;
        end if;
        merged := shop_private.leg_from_candidates(found, greatest(p_depth, @start_choice@));
        exit when round > 1 and merged.product_ids[:p_k] is not distinct from nearest;
        nearest := merged.product_ids[:p_k];
        starts := shop_private.next_starts(p_part, merged, used, p_sampled is not null);
    end loop;
    leg.product_ids := merged.product_ids[:p_depth];
    leg.positions := merged.positions[:p_depth];
    leg.measures := merged.measures[:p_depth];
    leg.ms := coalesce(leg.ms, 0) + extract(epoch from clock_timestamp() - began) * 1000;
end $$;
