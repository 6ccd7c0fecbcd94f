-- p_product_ids are products in the order of the ranking. The function reorders the first @diversity_candidates@ of
-- them by maximal marginal relevance (Carbonell and Goldstein, SIGIR 1998). The next product is the one with the
-- highest
--
--   (1 - p_diversity) x relevance - p_diversity x similarity to the most similar product before it.
--
-- The relevance is 1 / (@default_rrf_k@ + rank), scaled so that the first rank has 1 and rank @diversity_candidates@
-- has 0. The similarity is the cosine of the first images, scaled in this way: it is 1 for equal images, and 0 between
-- the first candidate and the candidate that is least similar to it. A product without an image vector is similar to no
-- product. The first p_named products are named by the query and stay in front. At most p_picks products are chosen;
-- the others follow in the order of the ranking.
create or replace function shop_private.diversified(
    p_product_ids uuid[], p_named integer, p_diversity double precision, p_picks integer
)
returns uuid[]
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
    candidates constant uuid[] := p_product_ids[:@diversity_candidates@];
    most constant integer := cardinality(candidates);
    vectors @vector@.halfvec[];
    relevance double precision[];
    nearest double precision[];  -- the similarity to the most similar chosen product
    least_similar double precision;
    chosen integer[] := '{}';
    best integer;
begin
    select array_agg(i.embedding order by u.n) into vectors
    from unnest(candidates) with ordinality as u(product_id, n)
    left join shop.image_vector i on i.product_id = u.product_id and i.position = 0;
    relevance := array(
        select (1.0 / (@default_rrf_k@ + n) - 1.0 / (@default_rrf_k@ + @diversity_candidates@))
            / (1.0 / (@default_rrf_k@ + 1) - 1.0 / (@default_rrf_k@ + @diversity_candidates@))
        from generate_series(1, most) n);
    select min(1 - (v.vector operator(@vector@.<=>) vectors[1])) into least_similar from unnest(vectors) v(vector);
    nearest := array_fill(0.0::double precision, array[most]);
    for pick in 1 .. least(most, p_picks) loop
        if pick <= p_named then
            best := pick;
        else
            select c.n into best
            from unnest(relevance, nearest) with ordinality as c(relevance, nearest, n)
            where c.n <> all (chosen)
            order by (1 - p_diversity) * c.relevance - p_diversity * c.nearest desc, c.n limit 1;
        end if;
        chosen := chosen || best;
        if vectors[best] is not null then
            nearest := array(
                select greatest(c.nearest, coalesce(((1 - (c.vector operator(@vector@.<=>) vectors[best]))
                    - least_similar) / nullif(1 - least_similar, 0), 0))
                from unnest(nearest, vectors) with ordinality as c(nearest, vector, n) order by c.n);
        end if;
    end loop;
    return array(select candidates[c] from unnest(chosen) with ordinality as u(c, n) order by u.n)
        || array(select u.product_id from unnest(p_product_ids) with ordinality as u(product_id, n)
                 where u.n <> all (chosen) order by u.n);
end $$;
