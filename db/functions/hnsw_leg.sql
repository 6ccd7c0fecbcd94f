-- The nearest products by one kind of vector (p_part: image or title), through its HNSW index: each product once, with
-- its nearest picture. p_ef candidates at a time are had from the index, and it is asked on until the nearest p_k that
-- meet the condition on p (shop.product) have settled, and p_depth have been met. What makes a query hard (how densely
-- its neighbourhood is populated) and a filter narrow (how few of the neighbours pass) both show in the same place: late
-- candidates still turn out to be nearer than the p_k-th match. It has settled when next to none of those came lately.
-- "Lately" is four fifths of the candidates where every neighbour passes; where few do, many candidates have been nearer
-- than the p_k-th match and say more, so a shorter while will do, as their number to the power p_stretch tells.
--
-- p_most candidates are the end. Where far fewer are met than the share of all products that match (p_share) lets expect,
-- the filter shuns the neighbourhood, and an index finds poorly what lies far away; and where the matches met so far say
-- that it would take more, it is no use to go on. settled is then false, and to compare all that match is the better way.
-- p_share null: the index is to be asked whatever comes of it.
--
-- The join beside the index scan has to keep its order, so a nested loop: sorting is made dearer than anything, and
-- such a plan must not look dear enough to be compiled.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads the library: only then may its settings be named

create or replace function shop_private.hnsw_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_k integer, p_depth integer, p_index regclass, p_ef integer,
    p_stretch double precision, p_share double precision, p_most integer, out leg shop_private.leg, out settled boolean
)
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
set hnsw.iterative_scan = relaxed_order
set hnsw.ef_search = 40
set hnsw.max_scan_tuples = 200000  -- looked at, not returned
as $$
declare
    began constant timestamptz := clock_timestamp();
    counted constant bigint := pg_stat_get_xact_tuples_returned(p_index);
    candidates refcursor;
    product_id uuid;
    place smallint;
    distance double precision;
    matches boolean;
    near shop_private.near[] := '{}';  -- those that match
    distances double precision[] := '{}';  -- of all
    seen integer := 0;
    look integer := p_ef + p_ef / 2;  -- the first half of a second batch tells whether the first was good
    bar double precision;  -- distance of the p_k-th match
    nearer integer;
    late integer;
begin
    perform set_config('hnsw.ef_search', p_ef::text, true);
    candidates := shop_private.by_index(p_part, p_vector, p_condition, p_most + p_ef);
    settled := false;
    loop
        fetch candidates into product_id, place, distance, matches;
        if not found then
            settled := p_share is null;  -- the index has no more, and it alone was to be asked
            exit;
        end if;
        seen := seen + 1;
        distances := distances || distance;
        if matches then
            near := near || (product_id, place, distance)::shop_private.near;
        end if;
        if seen >= look then
            look := seen + greatest(p_ef / 2, seen / 8);
            if cardinality(near) >= p_depth then
                select max(n.nearest) into bar from (
                    select min(n.distance) as nearest from unnest(near) n group by n.product_id order by 1 limit p_k) n
                having count(*) = p_k;
                select count(*) into nearer from unnest(distances) d where d <= bar;
                select count(*) into late from unnest(
                    distances[seen / (1 + 4 * (p_k / nearer::double precision) ^ (1 - p_stretch)) + 1:]) d where d <= bar;
                settled := late <= 0.05 * nearer;
            end if;
            if p_condition = 'true' and seen >= 2 * p_ef then  -- two batches of all there is are enough for any query
                settled := p_depth <= (select count(distinct n.product_id) from unnest(near) n);
            end if;
            exit when settled
                or seen * p_share >= 8 and cardinality(near) < seen * p_share / 4
                or seen * greatest(1, p_depth / greatest(0.5, cardinality(near))) >= p_most;
        end if;
    end loop;
    close candidates;
    leg := shop_private.leg_of(near, p_depth);
    settled := settled and cardinality(leg.product_ids) = p_depth;
    leg.route := 'hnsw';
    leg.index_name := p_index::text;
    leg.ef_search := p_ef;
    leg.examined := pg_stat_get_xact_tuples_returned(p_index) - counted;
    leg.ms := extract(epoch from clock_timestamp() - began) * 1000;
end $$;

-- A cursor over rows in the order of the index: product, position, distance, and whether the product meets the condition.
-- Where nothing has to be asked of the product, the plan is kept: making one takes a third of a millisecond.
create or replace function shop_private.by_index(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_most integer
)
returns refcursor
language plpgsql stable as $$
declare
    rows refcursor;
begin
    if p_condition <> 'true' or row_security_active('shop.product'::regclass) then
        open rows for execute format('select n.*, p.product_id is not null and (%s) from (
            select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
            from shop.%I i order by i.embedding operator(@vector@.<=>) $1 limit $2) n
            left join shop.product p on p.product_id = n.product_id', p_condition, p_part || '_vector')
        using p_vector, p_most;
    elsif p_part = 'image' then
        open rows for select i.product_id, i.position, i.embedding operator(@vector@.<=>) p_vector, true
            from shop.image_vector i order by i.embedding operator(@vector@.<=>) p_vector limit p_most;
    else
        open rows for select i.product_id, i.position, i.embedding operator(@vector@.<=>) p_vector, true
            from shop.title_vector i order by i.embedding operator(@vector@.<=>) p_vector limit p_most;
    end if;
    return rows;
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
