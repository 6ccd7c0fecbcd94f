-- Sets run.change: the products of the image leg, ranked again by the change of a request ("but red"). The image leg
-- has found the products that look like the given image or product. The first @change_neighbours@ of them are the
-- neighbourhood. A product of the neighbourhood has the score
--
--   similarity of its image to the query
--     + @change_source@ x similarity of its title to the title of a given product
--     + @change_image@ x similarity of its image to the change + @change_title@ x similarity of its title to the change
--     + @change_words@ x share of the words of the change that the product has.
--
-- Each similarity is a standardised cosine: the mean of these cosines in the neighbourhood is subtracted from the
-- cosine, and the difference is divided by their standard deviation in the neighbourhood. A property that all
-- neighbours have, such as the kind of the product, therefore makes no difference. Similarities of a text to images and
-- to titles have different means, but they can be added in this unit. A word of the change is counted only if a
-- neighbour has the word, so "but" or "instead" usually makes no difference. Products outside the neighbourhood follow
-- in the order of the image leg. The function needs no SET clause, because it runs under the search_path of run_search.
create or replace function shop_private.rank_by_change(
    p_request shop_private.search_request, inout run shop_private.search_run
)
language plpgsql stable as $$
declare
    began constant timestamptz := clock_timestamp();
    vector constant @vector@.halfvec := shop.clip_text(p_request.change);
    terms constant text[] := (shop_private.keyword_query(
        p_request.change, shop_private.keyword_language(p_request.catalog))).terms;
    leg constant shop_private.leg := run.image_leg;
    source_title constant @vector@.halfvec :=  -- null without a given product
        case when jsonb_path_exists(p_request.inputs, '$[*].sku') then run.title_vector end;
    change shop_private.search_change;
begin
    with found as (
        select f.*, f.rank <= @change_neighbours@ as near
        from unnest(leg.product_ids, leg.positions, leg.measures)
            with ordinality as f(product_id, position, distance, rank)
    ), compared as materialized (
        select f.*, i.embedding operator(@vector@.<=>) vector as change_distance,
            t.embedding operator(@vector@.<=>) vector as title_distance,
            t.embedding operator(@vector@.<=>) source_title as source_distance, p.keywords
        from found f
        join shop.product p on p.product_id = f.product_id
        left join shop.image_vector i on f.near and i.product_id = f.product_id and i.position = f.position
        left join shop.title_vector t on f.near and t.product_id = f.product_id
    ), word as materialized (
        select t::tsquery as term from unnest(terms) t
        where exists (select from compared c where c.near and c.keywords @@ t::tsquery)
    ), measured as (
        select c.*, nullif((select count(*) from word w where c.near and c.keywords @@ w.term), 0)::double precision
                / (select count(*) from word) as share,
            (avg(c.distance) filter (where c.near) over () - c.distance)
                / nullif(stddev_pop(c.distance) filter (where c.near) over (), 0) as by_image,
            (avg(c.change_distance) over () - c.change_distance)
                / nullif(stddev_pop(c.change_distance) over (), 0) as by_change,
            (avg(c.title_distance) over () - c.title_distance)
                / nullif(stddev_pop(c.title_distance) over (), 0) as by_title,
            (avg(c.source_distance) over () - c.source_distance)
                / nullif(stddev_pop(c.source_distance) over (), 0) as by_source
        from compared c
    ), scored as (
        select m.*, coalesce(m.by_image, 0) + @change_image@ * coalesce(m.by_change, 0) as image_part,
            @change_title@ * m.by_title + @change_source@ * coalesce(m.by_source, 0) as title_part,
            @change_words@ * m.share as word_part
        from measured m
    ), ranked as (
        select s.*, s.image_part + coalesce(s.title_part, 0) + coalesce(s.word_part, 0) as score,
            case when s.title_part is not null then rank() over (order by s.title_distance) end as title_rank,
            case when s.share is not null then rank() over (order by s.share desc nulls last) end as word_rank
        from scored s
    )
    select array_agg((r.row_number, r.product_id, r.position, r.score, r.rank, r.distance, r.image_part,
        r.title_rank, r.title_distance, r.title_part, r.word_rank, r.share, r.word_part, null, null)
        ::shop_private.fused_product order by r.row_number)
    into change.ranked
    from (select r.*, row_number() over (order by not r.near, case when r.near then -r.score end, r.rank)
        from ranked r) r;
    change.ms := extract(epoch from clock_timestamp() - began) * 1000;
    run.change := change;
end $$;
