-- The nearest products by one kind of vector (p_part: image or title), through its HNSW index: each product once, with
-- its nearest picture. The index is asked for p_scan candidates, in batches of p_ef, and as many of them are taken as
-- p_depth products need that meet the condition on p (shop.product). Fewer come back when the filter shuns the
-- neighbourhood of the query; to ask on would fill the list, but with products from anywhere: see search_leg.
--
-- The join beside the index scan has to keep its order, so a nested loop: sorting is made dearer than anything, and
-- such a plan must not look dear enough to be compiled.
do $$ begin perform '[1]'::@vector@.vector; end $$;  -- loads the library: only then may its settings be named

create or replace function shop_private.hnsw_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_depth integer, p_rows_per_product double precision,
    p_index regclass, p_ef integer, p_scan integer
)
returns shop_private.leg
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_sort = off
set jit = off
set plan_cache_mode = force_generic_plan
set hnsw.iterative_scan = relaxed_order
set hnsw.ef_search = 40
set hnsw.max_scan_tuples = 200000  -- looked at, not returned; a limit met here returns candidates of any distance
as $$
declare
    found shop_private.leg;
    began constant timestamptz := clock_timestamp();
    counted constant bigint := pg_stat_get_xact_tuples_returned(p_index);
    near shop_private.near[];
    take integer := ceil(p_depth * greatest(1, least(p_rows_per_product, 100)));
begin
    perform set_config('hnsw.ef_search', p_ef::text, true);
    loop
        near := shop_private.nearest_by_index(p_part, p_vector, p_condition, take, p_scan);
        found := shop_private.leg_of(near, p_depth);
        exit when cardinality(found.product_ids) >= p_depth or coalesce(cardinality(near), 0) < take;
        take := take * 2;
    end loop;
    found.route := 'hnsw';
    found.index_name := p_index::text;
    found.ef_search := p_ef;
    found.examined := pg_stat_get_xact_tuples_returned(p_index) - counted;
    found.ms := extract(epoch from clock_timestamp() - began) * 1000;
    return found;
end $$;

-- The nearest rows in the order of the index. Where nothing has to be asked of the product, its plan is kept: making
-- one takes a third of a millisecond.
create or replace function shop_private.nearest_by_index(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_take integer, p_scan integer
)
returns shop_private.near[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    near shop_private.near[];
begin
    if p_condition <> 'true' or row_security_active('shop.product'::regclass) then
        execute format('select array_agg((n.product_id, n.position, n.distance)::shop_private.near) from (
            select n.* from (select i.product_id, i.position, i.embedding operator(@vector@.<=>) $1 as distance
                from shop.%I i order by i.embedding operator(@vector@.<=>) $1 limit $3) n
            join shop.product p on p.product_id = n.product_id
            where %s order by n.distance limit $2) n', p_part || '_vector', p_condition)
        into near using p_vector, p_take, p_scan;
    elsif p_part = 'image' then
        select array_agg((n.product_id, n.position, n.distance)::shop_private.near) into near from (
            select i.product_id, i.position, i.embedding operator(@vector@.<=>) p_vector as distance
            from shop.image_vector i order by i.embedding operator(@vector@.<=>) p_vector limit p_take) n;
    else
        select array_agg((n.product_id, n.position, n.distance)::shop_private.near) into near from (
            select i.product_id, i.position, i.embedding operator(@vector@.<=>) p_vector as distance
            from shop.title_vector i order by i.embedding operator(@vector@.<=>) p_vector limit p_take) n;
    end if;
    return near;
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
