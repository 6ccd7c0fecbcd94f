-- Returns one page of a search with group_by or diversity, as search_page does for other searches. With group_by, a row
-- stands for a group of products and shows the first product of the group in the order of the ranking, or of `sort`.
-- p_run is the state of the search, with its legs: the rankings by image, title and keyword.
--
-- The first p_first_k places come from p_run; with diversity, at least the first @diversity_candidates@ places do. The
-- products of these first places are in the order of fuse_legs or, with diversity, in that of the function diversified.
-- Products that a rule pins keep their places; with group_by, their groups get these places.
--
-- Without `sort`, a second search runs if two conditions hold:
--   (1) the page ends after the first places, or p_run has too few groups for the page (without group_by, each product
--       is a group);
--   (2) a leg of p_run has as many products as the depth of p_run.
-- It is the same search, with the largest allowed number of products in each leg. It adds the groups that p_run does
-- not have. If the second search finds at least @max_results@ products but too few groups for the page, `note` says so.
--
-- With `sort`, no product is pinned, and all products that pass the cut are grouped. p_mark then names the products
-- after which the page begins (see sorted_products).
create or replace function shop_private.arranged_page(
    p_request shop_private.search_request, p_run shop_private.search_run, p_first_k integer, p_skip integer,
    p_k integer, p_mark text
)
returns setof shop_private.page_product
language plpgsql stable rows 20 set search_path = pg_catalog, pg_temp set plan_cache_mode = force_generic_plan as $$
declare
    diversity constant double precision := coalesce(p_request.diversity, 0);
    first_places constant integer := case when diversity > 0 then greatest(p_first_k, @diversity_candidates@)
        else p_first_k end;
    ranked shop_private.fused_product[];
    ids uuid[];
    pins uuid[];  -- the pinned products
    places bigint[];  -- the place of each pinned product
    groups shop_private.product_group[];
    first_heads uuid[];
    widened shop_private.search_run;
    note text;
    marks text[];  -- with a sort, the mark of each product of ids
    last bigint;  -- the place in ids after which the page begins
    skip bigint := p_skip;
begin
    ranked := array(select f from shop_private.fuse_legs(p_run, p_request.min_similarity, p_request.max_gap) f);
    select coalesce(array_agg(r.product_id order by r.place), '{}'), coalesce(array_agg(r.place order by r.place), '{}')
    into pins, places
    from unnest(ranked) r where p_request.sort is null and r.product_id = any((p_run.ranking).pins);
    ids := array(select r.product_id from unnest(ranked) r where r.product_id <> all (pins) order by r.place);
    if p_request.sort is not null then
        select coalesce(array_agg(s.product_id order by s.place), '{}'), array_agg(s.mark order by s.place), max(s.note)
        into ids, marks, note
        from shop_private.sorted_products((p_run.cut).product_ids, p_request.sort, null, 0, null) s;
    end if;
    if diversity > 0 then
        ids := shop_private.diversified(ids, (select count(*)::integer from unnest(ranked) r
            where r.exact_match is not null and r.product_id <> all (pins)), diversity,
            case when p_request.group_by is null then p_skip + p_k + 1 else @diversity_candidates@ end);
    end if;
    ids := pins || ids;
    groups := array(select g from shop_private.pinned_groups(ids, p_request.group_by, pins, places) g order by g.place);
    if p_request.sort is null and (p_skip + p_k > first_places or cardinality(groups) <= p_skip + p_k)
        and greatest(cardinality((p_run.image_leg).product_ids), cardinality((p_run.title_leg).product_ids),
            cardinality((p_run.keyword_leg).product_ids)) >= p_run.depth
    then
        widened := shop_private.run_search(p_request, @max_results@);
        first_heads := array(select g.product_id from unnest(groups[:first_places]) g order by g.place);
        ranked := ranked || array(
            select f from shop_private.fuse_legs(widened, p_request.min_similarity, p_request.max_gap) f
            where f.product_id not in (select r.product_id from unnest(ranked) r) order by f.place);
        select coalesce(array_agg(u.product_id order by u.place), '{}'),
            coalesce(array_agg(u.place order by u.place), '{}')
        into pins, places
        from unnest(pins, places) u(product_id, place) where u.product_id <> all (first_heads);
        first_heads := first_heads || pins;
        ids := first_heads || array(select r.product_id from unnest(ranked) with ordinality as r
            where r.product_id <> all (first_heads) order by r.ordinality);
        groups := array(
            select g from shop_private.pinned_groups(ids, p_request.group_by, pins, places) g order by g.place);
        if p_request.group_by is not null and cardinality(groups) < p_skip + p_k and cardinality(ids) >= @max_results@
        then
            note := format('the first %s products have only %s groups', cardinality(ids), cardinality(groups));
        end if;
    end if;
    if p_mark is not null then  -- two products, 45 characters each (id and hash), with a dot between them
        select coalesce(min(u.n) filter (where left(u.mark, 45) = left(p_mark, 45)),
            min(u.n) filter (where left(u.mark, 45) = substr(p_mark, 47)))
        into last from unnest(marks) with ordinality u(mark, n);
        select coalesce(nullif(count(*), 0), greatest(p_skip - 2, 0)) into skip
        from unnest(ids[:coalesce(last, 0)]) b(product_id) join unnest(groups) g on g.product_id = b.product_id;
    end if;
    return query
    with page as materialized (
        select g.*, p.currency
        from unnest(groups) g
        join shop.product p on p.product_id = g.product_id
        where g.place > skip order by g.place limit p_k + 1
    ), figures as (
        select f.* from shop_private.group_figures(p_request, p_run, array(select g.value from page g),
            array(select g.currency from page g), ids) f
    )
    select g.place, g.product_id, r.position, coalesce(r.score, 0), r.image_rank, r.image_distance,
        r.image_contribution, r.title_rank, r.title_distance, r.title_contribution, r.keyword_rank, r.keyword_score,
        r.keyword_contribution, r.exact_match, r.shop_ranking, s.mark, g.value,
        case when p_request.group_by is not null then greatest(f.products, cardinality(g.members)) end,
        least(f.low, m.low), greatest(f.high, m.high), note
    from page g
    left join unnest(ranked) r on r.product_id = g.product_id
    left join unnest(ids, marks) s(product_id, mark) on s.product_id = g.product_id
    left join figures f on f.value = g.value
    left join lateral (
        select min(e.price) as low, max(e.price) as high
        from shop.product p, shop.effective_price(p.price, p.sale_price, p.sale_starts_at, p.sale_ends_at) e(price)
        where p_request.group_by is not null and (f.value is null or (p_run.cut).product_ids is null)
            and p.product_id = any(g.members) and p.currency is not distinct from g.currency
    ) m on true
    order by g.place;
end $$;
