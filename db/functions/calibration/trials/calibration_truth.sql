-- Finds, for each condition and each query vector, the exact p_k nearest products among the products that meet the
-- condition. Row (p_step, c, n) of calibration_list is the list of condition c and query n, nearest first. Each of
-- p_conditions is a condition on p (shop.product). p_own[n] is the product whose image is query n, or null if query n
-- is a text; the list of query n excludes this product. p_table stores the image vectors.
--
-- The function compares all queries with all vectors in one scan of the table, because a scan for each query would read
-- the whole table again for each query. The scan compares one range of pages after another until p_until. The function
-- returns whether all pages were compared. If not, a later call continues. `examined` is the number of compared pages,
-- or infinity after the last page. p_bounds[n] is a cosine distance within which query n has p_k matches of each
-- condition (or all, if there are fewer), besides its own product; farther products are dropped immediately. A bound of
-- 2 drops nothing.
--
-- The planner expects that a third of the pairs of a query and a vector lie within the bounds, but hardly any pairs do.
-- Hash and merge joins are therefore disabled: they would read all of shop.product for each range of pages. The pairs
-- are materialized before they are grouped, because the planner would otherwise read the whole table of vectors in the
-- order of its key.
create or replace function shop_private.calibration_truth(
    p_step text, p_queries @vector@.halfvec[], p_own uuid[], p_bounds double precision[], p_conditions text[],
    p_k integer, p_table regclass, p_until timestamptz
)
returns boolean
language plpgsql volatile
set search_path = pg_catalog, pg_temp
set jit = off
set enable_mergejoin = off
set enable_hashjoin = off
as $$
declare
    pages constant double precision := pg_relation_size(p_table) / current_setting('block_size')::integer;
    step_pages constant double precision := greatest(1, ceil(pages * @calibration_comparisons@
        / greatest(1, shop_private.row_estimate(p_table) * cardinality(p_queries)::double precision)));
    compared double precision := coalesce(
        (select min(l.examined) from shop_private.calibration_list l where l.step = p_step), 0);
begin
    while compared < 'infinity' loop
        if step_pages < pages
            and (compared = 0 or floor(4 * compared / pages) > floor(4 * (compared - step_pages) / pages))
        then
            raise info '%: % %% of the catalog compared', p_step, round(100 * compared / pages);
        end if;
        execute format(
            'with pair as materialized (
                select q.n, i.product_id, i.embedding operator(@vector@.<=>) q.vector as distance
                from %s i join unnest($1, $2, $3) with ordinality q(vector, own, bound, n)
                    on i.embedding operator(@vector@.<=>) q.vector <= q.bound + 1e-6
                    and i.product_id is distinct from q.own
                where i.ctid >= ''(%s,0)'' and i.ctid < ''(%s,0)''
            ), near as materialized (
                select n.n, n.product_id, n.distance, array[%s] as meets
                from pair n join shop.product p on p.product_id = n.product_id where %s
            ), found as (
                select c.c, n.n, n.product_id, n.distance
                from near n cross join generate_series(1, cardinality($7)) c(c) where n.meets[c.c]
                union all
                select l.condition, l.query, u.product_id, u.distance from shop_private.calibration_list l,
                    unnest(l.product_ids, l.distances) u(product_id, distance) where l.step = $5
                union all  -- an empty row for each list, because a list without products is stored too
                select c.c, q.n, null, null
                from generate_series(1, cardinality($7)) c(c) cross join generate_series(1, cardinality($1)) q(n)
            ), best as (
                select f.c, f.n, f.product_id, min(f.distance) as distance, row_number() over (
                    partition by f.c, f.n order by min(f.distance), f.product_id) as place
                from found f group by f.c, f.n, f.product_id
            )
            insert into shop_private.calibration_list (step, condition, query, product_ids, distances, examined)
            select $5, b.c, b.n,
                coalesce(array_agg(b.product_id order by b.place) filter (where b.product_id is not null), ''{}''),
                coalesce(array_agg(b.distance order by b.place) filter (where b.product_id is not null), ''{}''), $6
            from best b where b.place <= $4 or b.product_id is null
            group by b.c, b.n
            on conflict (step, condition, query) do update
            set product_ids = excluded.product_ids, distances = excluded.distances, examined = excluded.examined',
            p_table, compared, compared + step_pages, array_to_string(p_conditions, ', '),
            (select string_agg(format('(%s)', c), ' or ') from unnest(p_conditions) c))
        using p_queries, p_own, p_bounds, p_k, p_step,
            case when compared + step_pages < pages then compared + step_pages else 'infinity' end, p_conditions;
        compared := case when compared + step_pages < pages then compared + step_pages else 'infinity' end;
        if clock_timestamp() >= p_until then
            return compared = 'infinity';
        end if;
    end loop;
    return true;
end $$;
