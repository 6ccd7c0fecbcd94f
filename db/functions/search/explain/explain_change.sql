-- Returns the step of shop.explain_search that shows how the change of a request ranked the neighbourhood. Returns no
-- row if the request has no change.
create or replace function shop_private.explain_change(p_run shop_private.search_run)
returns setof shop.search_step
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    change constant shop_private.search_change := p_run.change;
begin
    return query
    select 'change', 'neighbourhood', null::text, null::integer, least(count(*), @change_neighbours@)::integer,
        null::bigint, change.ms, concat_ws('; ',
            format('the nearest %s by image are ranked again', least(count(*), @change_neighbours@)),
            format('weights: title of the product %s; change by image %s, by title %s, by words %s', @change_source@,
                @change_image@, @change_title@, @change_words@),
            format('%s have a word of the change', count(r.keyword_rank)))
    from unnest(change.ranked) r
    where r.image_rank <= @change_neighbours@ and change.ms is not null
    having change.ms is not null;
end $$;
