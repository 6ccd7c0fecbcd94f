-- The nearest products by one kind of vector (p_part: image or title) that meet a condition, through its HNSW index: each
-- product once, with its nearest picture. The index gives a batch of candidates after the other, and is asked on until the nearest p_k that
-- meet the condition on p (shop.product) have settled, and p_depth have been met. They have settled once the nearest of
-- a fresh batch is farther than the p_k-th match by p_slack, and none of them came in the second half. So what makes a query
-- hard (its neighbourhood is dense) or a filter narrow (few of the neighbours pass) need not be known beforehand, and small
-- batches find as much in as many candidates as large ones. After Al-Jazzazi et al., "Distance Adaptive Beam Search for
-- Provably Accurate Graph-Based Nearest Neighbor Search" (2025), who go by a multiple of the distance; here it is a sum,
-- of Euclidean distances between vectors of unit length: how far the index has to be followed beyond a match depends on
-- how far apart products lie, not on how far all of them are from the query, and texts are farther from pictures than
-- pictures are.
--
-- p_most candidates are the end. Where the matches met so far say that it will take more, or far fewer are met than the share
-- of all products that match (p_share) lets expect (then the filter shuns the neighbourhood, and an index finds poorly
-- what lies far away), it is no use to go on: settled is false, and to compare all that match is the better way. p_share
-- null: what was found by then has to do.
--
-- The join beside the index scan has to keep its order, so a nested loop: any other plan is made dearer than anything,
-- and this one must not look dear enough to be compiled.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads the library: only then may its settings be named

create or replace function shop_private.hnsw_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_k integer, p_depth integer, p_index regclass,
    p_slack double precision, p_share double precision, p_most integer, out leg shop_private.leg, out settled boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
set hnsw.iterative_scan = relaxed_order
set hnsw.ef_search = 20
set hnsw.max_scan_tuples = 200000  -- looked at, not returned
as $$
declare
    batch constant integer := 20;  -- ef_search
    began constant timestamptz := clock_timestamp();
    candidates constant text := format('select n.*, p.product_id is not null and (%s) from (
        select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
        from shop.%I i order by i.embedding operator(@vector@.<=>) $1 limit $2) n
        left join shop.product p on p.product_id = n.product_id', p_condition, p_part || '_vector');
    product_id uuid;
    place smallint;
    distance double precision;
    matches boolean;
    near shop_private.near[] := '{}';  -- those that match
    came integer[] := '{}';  -- after how many candidates each of them did
    seen integer := 0;
    look integer := 10;  -- when to look next: a loop has 10 rows fetched at first, then 50 at a time
    before double precision := -1;  -- distance of the candidate before
    place_in_batch integer := 0;
    fresh double precision;  -- distance of the first, so nearest, candidate of the latest batch
    met integer;  -- products
    bar double precision;  -- distance of the p_k-th
    latest integer;  -- when the latest of the nearest p_k came
begin
    settled := false;
    for product_id, place, distance, matches in execute candidates using p_vector, p_most loop
        seen := seen + 1;
        if distance <> before then  -- equal vectors are one element of the index
            place_in_batch := case when distance < before then 1 else place_in_batch % batch + 1 end;
            fresh := case when place_in_batch = 1 then distance else fresh end;
            before := distance;
        end if;
        if matches then
            near := near || (product_id, place, distance)::shop_private.near;
            came := came || seen;
        end if;
        if seen = look then
            look := seen + 50 * greatest(1, seen / 400);
            if cardinality(near) >= p_depth then
                select count(*), max(n.distance) filter (where n.place <= p_k), max(n.came) filter (where n.place <= p_k)
                into met, bar, latest
                from (
                    select min(n.distance) as distance, min(n.came) as came, row_number() over (order by min(n.distance)) as place
                    from unnest(near, came) n(product_id, "position", distance, came) group by n.product_id) n;
                settled := met >= p_depth and seen >= 2 * latest
                    and sqrt(2 * greatest(0, fresh)) > sqrt(2 * greatest(0, bar)) + p_slack;
            end if;
            -- It takes 2.5 times p_k / (the share that matches), as tried with a made-up catalog. The share that matches
            -- around the query is what it is overall until some batches say otherwise.
            exit when settled or p_share is not null and (
                greatest(2.5 * p_k, p_depth) * (seen + 5 * batch) > p_most * (cardinality(near) + 5 * batch * p_share)
                or seen * p_share >= 8 and cardinality(near) < seen * p_share / 4);
        end if;
    end loop;
    leg := shop_private.leg_of(near, p_depth);
    settled := (settled or p_share is null) and cardinality(leg.product_ids) = p_depth;
    leg.route := 'hnsw';
    leg.index_name := p_index::text;
    leg.ef_search := batch;
    leg.examined := seen;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
end $$;

-- The nearest p_depth products of rows: each once, by its nearest row.
create or replace function shop_private.leg_of(p_near shop_private.near[], p_depth integer)
returns shop_private.leg
language plpgsql immutable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    leg shop_private.leg;
begin
    select array_agg(b.product_id order by b.distance, b.product_id),
        array_agg(b.position order by b.distance, b.product_id),
        array_agg(b.distance order by b.distance, b.product_id)
    into leg.product_ids, leg.positions, leg.scores
    from (
        select b.* from (
            select distinct on (n.product_id) n.product_id, n.position, n.distance from unnest(p_near) n
            order by n.product_id, n.distance) b
        order by b.distance, b.product_id limit p_depth) b;
    return leg;
end $$;
