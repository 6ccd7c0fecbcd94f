-- Returns the rows of shop.what_if. p_queries are the rows of suite_queries. p_before[n] and p_after[n] are the pages
-- of query n before and after the changes, as JSON arrays of SKUs.
create or replace function shop_private.compared_pages(
    p_queries jsonb[], p_before jsonb[], p_after jsonb[], p_k integer
)
returns table (
    query text, catalog text, before text[], after text[], entered text[], gone text[], moved text[],
    ndcg_before double precision, ndcg_after double precision, recall_before double precision,
    recall_after double precision, queries integer, judged integer, changed integer
)
language sql stable set search_path = pg_catalog, pg_temp as $$
    with compared as (
        select u.n, u.asked ->> 'label' as query, u.asked ->> 'catalog' as catalog,
            array(select p.sku from jsonb_array_elements_text(u.old) with ordinality p(sku, place)
                where p.place <= p_k order by p.place) as before,
            array(select p.sku from jsonb_array_elements_text(u.new) with ordinality p(sku, place)
                where p.place <= p_k order by p.place) as after,
            b.ndcg as ndcg_before, a.ndcg as ndcg_after, b.recall as recall_before, a.recall as recall_after
        from unnest(p_queries, p_before, p_after) with ordinality u(asked, old, new, n)
        left join lateral shop_private.page_quality(u.old, nullif(u.asked -> 'grades', 'null'), p_k) b on true
        left join lateral shop_private.page_quality(u.new, nullif(u.asked -> 'grades', 'null'), p_k) a on true
    ), listed as (
        select null::text as query, null::text as catalog, null::text[] as before, null::text[] as after,
            null::text[] as entered, null::text[] as gone, null::text[] as moved,
            avg(c.ndcg_before) as ndcg_before, avg(c.ndcg_after) as ndcg_after,
            avg(c.recall_before) as recall_before, avg(c.recall_after) as recall_after,
            count(*)::integer as queries, count(c.ndcg_before)::integer as judged,
            (count(*) filter (where c.before <> c.after))::integer as changed, null::bigint as n
        from compared c
        union all
        select c.query, c.catalog, c.before, c.after,
            array(select s from unnest(c.after) s where s <> all(c.before)),
            array(select s from unnest(c.before) s where s <> all(c.after)),
            array(select s from unnest(c.after) s
                where array_position(c.before, s) <> array_position(c.after, s)),
            c.ndcg_before, c.ndcg_after, c.recall_before, c.recall_after, null, null, null, c.n
        from compared c where c.before <> c.after
    )
    select l.query, l.catalog, l.before, l.after, l.entered, l.gone, l.moved, l.ndcg_before, l.ndcg_after,
        l.recall_before, l.recall_after, l.queries, l.judged, l.changed
    from listed l order by l.n is not null, l.ndcg_after - l.ndcg_before, l.n
$$;
