-- Weighted reciprocal rank fusion of the legs (Cormack, Clarke and Buettcher, SIGIR 2009): a product scores
-- weight / (rrf_k + rank) in each leg that found it. Products whose picture is less similar to the query than p_min, or
-- than the best one's by more than p_gap, are left out; for that, a picture its leg did not reach is compared here.
create or replace function shop_private.search_fuse(
    i shop_private.leg, t shop_private.leg, k shop_private.leg,
    wi double precision, wt double precision, wk double precision, n integer,
    p_vector @vector@.halfvec, p_min double precision, p_gap double precision
)
returns table (
    product_id uuid, "position" smallint, score double precision,
    image_rank integer, image_distance double precision, image_contribution double precision,
    title_rank integer, title_distance double precision, title_contribution double precision,
    keyword_rank integer, keyword_score double precision, keyword_contribution double precision
)
language plpgsql stable set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
#variable_conflict use_column
declare
    cutting constant boolean := num_nonnulls(p_min, p_gap) > 0 and p_vector is not null;
begin
    return query
    with fused (product_id, place_of, score, ir, id, ic, tr, td, tc, kr, ks, kc) as (
    select f.product_id, max(f."position"), sum(f.part),
        max(f.place) filter (where f.leg = 'i'), max(f.score) filter (where f.leg = 'i'), max(f.part) filter (where f.leg = 'i'),
        max(f.place) filter (where f.leg = 't'), max(f.score) filter (where f.leg = 't'), max(f.part) filter (where f.leg = 't'),
        max(f.place) filter (where f.leg = 'k'), max(f.score) filter (where f.leg = 'k'), max(f.part) filter (where f.leg = 'k')
    from (
        select u.product_id, u.place_of as "position", u.score, u.place::integer, 'i' as leg, wi / (n + u.place) as part
        from unnest(i.product_ids, i.positions, i.scores) with ordinality as u(product_id, place_of, score, place)
        union all
        select u.product_id, null, u.score, u.place::integer, 't', wt / (n + u.place)
        from unnest(t.product_ids, t.scores) with ordinality as u(product_id, score, place)
        union all
        select u.product_id, null, u.score, u.place::integer, 'k', wk / (n + u.place)
        from unnest(k.product_ids, k.scores) with ordinality as u(product_id, score, place)
    ) f
    group by f.product_id
    ), compared as (
        select f.*, 1 - coalesce(f.id, v.embedding operator(@vector@.<=>) p_vector) as similarity
        from fused f
        left join lateral (
            select i.embedding from shop.image_vector i
            where cutting and f.id is null and i.product_id = f.product_id and i.position = 0
        ) v on true
    )
    select c.product_id, c.place_of, c.score, c.ir, c.id, c.ic, c.tr, c.td, c.tc, c.kr, c.ks, c.kc
    from (select c.*, max(c.similarity) over () as best from compared c) c
    where not cutting or (c.similarity >= coalesce(p_min, -1) and c.similarity >= coalesce(c.best - p_gap, -1))
    order by 3 desc, 1;
end $$;
