-- Returns, for each condition and each query vector, the ids of the exact p_k nearest products among the products that
-- meet the condition, nearest first: the element [c][n] of the result is the array for condition c and query n, cast to
-- text. Each of p_conditions is a condition on p (shop.product). p_own[n] is the product whose image is query n, or
-- null if query n is a text; the array of query n excludes this product. p_table stores the image vectors.
--
-- The function compares all queries with all vectors in one scan of the table, because one scan for each query would
-- read the table as often as there are queries. p_bounds[n] is a cosine distance within which query n has p_k matches
-- of each condition, besides its own product; farther products are dropped immediately. A bound of 2 drops nothing.
create or replace function shop_private.calibration_truth(
    p_queries @vector@.halfvec[], p_own uuid[], p_bounds double precision[], p_conditions text[], p_k integer,
    p_table regclass
)
returns text[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_mergejoin = off
as $$
declare
    truth text[];
begin
    execute format(
        'with near as materialized (
            select q.n, q.own, p.product_id, min(i.embedding operator(@vector@.<=>) q.vector) as distance,
                array[%s] as meets
            from %s i join shop.product p on p.product_id = i.product_id
            join unnest($1, $2, $3) with ordinality q(vector, own, bound, n)
                on i.embedding operator(@vector@.<=>) q.vector <= q.bound + 1e-6 and p.product_id is distinct from q.own
            where %s
            group by q.n, q.own, p.product_id
        ), best as (
            select c.c, n.n, n.product_id,
                row_number() over (partition by c.c, n.n order by n.distance, n.product_id) as place
            from near n cross join generate_series(1, %s) c(c) where n.meets[c.c]
        ), lists as (
            select c.c, q.n, coalesce(array_agg(b.product_id order by b.place), ''{}'')::text as list
            from generate_series(1, %4$s) c(c) cross join generate_series(1, cardinality($1)) q(n)
            left join best b on b.c = c.c and b.n = q.n and b.place <= $4
            group by c.c, q.n
        )
        select array_agg(r.row order by r.c)
        from (select l.c, array_agg(l.list order by l.n) as row from lists l group by l.c) r',
        array_to_string(p_conditions, ', '), p_table,
        (select string_agg(format('(%s)', c), ' or ') from unnest(p_conditions) c), cardinality(p_conditions))
    into truth using p_queries, p_own, p_bounds, p_k;
    return truth;
end $$;
