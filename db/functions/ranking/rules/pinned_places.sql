-- Puts the pinned products of a run into the list p_ranked, and returns the new list. A pinned product appears only if
-- it passes the condition of the run. It may be a product that the search itself did not find.
create or replace function shop_private.pinned_places(
    p_ranked shop_private.fused_product[], p_run shop_private.search_run
)
returns setof shop_private.fused_product
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    ranking constant shop_private.search_ranking := p_run.ranking;
    shown uuid[];
begin
    execute format('select array(select p.product_id from shop.product p where p.product_id = any($1) and %s)',
        coalesce(nullif(p_run.condition, ''), 'true')) into shown using ranking.pins;
    return query
    with pin as (
        select distinct on (u.product_id) u.product_id, u.place
        from unnest(ranking.pins, ranking.places) u(product_id, place)
        where u.product_id = any(shown) order by u.product_id, u.place
    ), free as (
        select f.place, row_number() over (order by f.place) as n
        from generate_series(1, cardinality(p_ranked) + (select count(*) from pin)) f(place)
        where f.place not in (select p.place from pin p)
    ), rest as (
        select r.product_id, row_number() over (order by r.place) as n from unnest(p_ranked) r
        where r.product_id not in (select p.product_id from pin p)
    ), placed as (
        select p.product_id, p.place::bigint from pin p
        union all
        select r.product_id, f.place from rest r join free f on f.n = r.n
    )
    select row_number() over (order by l.place), l.product_id, r.position, coalesce(r.score, 0), r.image_rank,
        r.image_distance, r.image_contribution, r.title_rank, r.title_distance, r.title_contribution,
        r.keyword_rank, r.keyword_score, r.keyword_contribution, r.exact_match, r.shop_ranking
    from placed l left join unnest(p_ranked) r on r.product_id = l.product_id
    order by 1;
end $$;
