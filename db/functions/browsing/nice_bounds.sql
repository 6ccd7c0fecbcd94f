-- Returns the bounds of at most `buckets` ranges that contain about equally many products. The bounds are quantiles of
-- the values of all products. Each bound is rounded, as far as its distance from the neighbouring bounds allows.
-- `numbers` is in ascending order; products[n] is the number of products whose value is numbers[n]. A range includes
-- its lower bound and excludes its upper bound. Only the last range includes both bounds.
create or replace function shop_private.nice_bounds(numbers numeric[], products bigint[], buckets integer)
returns numeric[]
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
with placed as (
    select number, div((sum(n) over (order by number) - n) * buckets, sum(n) over ()) as range
    from unnest(numbers, products) as u (number, n)
),
started as (
    select min(number) as start, max(number) as finish from placed group by range
),
spaced as (
    select start, finish, row_number() over by_start = 1 as is_first,
        least(start - lag(start) over by_start,
            coalesce(lead(start) over by_start, nullif(finish, start)) - start) as gap
    from started window by_start as (order by start)
),
stepped as (  -- a step is 1 or 5 times a power of ten; without a step, a number is not rounded
    select *, power * case when gap >= 5 * power then 5 else 1 end as step
    from spaced, lateral (select ('1e' || floor(log(gap)))::numeric as power) as p
),
bounded as (
    select start, coalesce(ceil(finish / step) * step, finish) as top,
        coalesce(case when is_first then floor(start / step) else round(start / step) end * step, start) as bound
    from stepped
)
select array_agg(trim_scale(bound) order by start) || trim_scale((array_agg(top order by start desc))[1]) from bounded
$$;
