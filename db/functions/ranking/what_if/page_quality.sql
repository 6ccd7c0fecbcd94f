-- Returns nDCG@10 and recall@p_k of a page, a JSON array of SKUs, best first. p_grades has the grade of each judged
-- product by SKU; at least one grade is not 0. db/evaluation/metrics.py defines both figures.
create or replace function shop_private.page_quality(
    p_page jsonb, p_grades jsonb, p_k integer, out ndcg double precision, out recall double precision
)
language sql immutable strict set search_path = pg_catalog, pg_temp as $$
    with graded as (
        select true as found, p.place, coalesce((p_grades ->> p.sku)::integer, 0) as grade
        from jsonb_array_elements_text(p_page) with ordinality p(sku, place)
        union all
        select false, row_number() over (order by g.grade::integer desc), g.grade::integer
        from jsonb_each_text(p_grades) g(sku, grade)
    ), counted as (
        select d.*, (2 ^ d.grade - 1) * ln(2) / ln(d.place::double precision + 1) as gain from graded d
    )
    select coalesce(sum(c.gain) filter (where c.found and c.place <= 10), 0)
            / sum(c.gain) filter (where not c.found and c.place <= 10),
        (count(*) filter (where c.found and c.grade > 0 and c.place <= p_k))::double precision
            / count(*) filter (where not c.found and c.grade > 0)
    from counted c
$$;
