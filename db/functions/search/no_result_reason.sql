-- Returns the reason why a search found no product, as a text for people. The function needs no SET clause, because it
-- runs under the search_path of shop.search.
create or replace function shop_private.no_result_reason(
    p_request shop_private.search_request, p_run shop_private.search_run
)
returns text
language plpgsql stable as $$
declare
    by_words constant text := case when p_run.keyword_weight > 0 then coalesce((p_run.keyword_leg).reason,
        'no product has these words' || case when p_request.filter is not null then ' and matches the filter'
            when shop_private.catalog_condition(p_request.catalog) <> 'true'
                then format(' in catalog %L', p_request.catalog) else '' end) end;
    any_match boolean := p_run.total > 0;
    any_product boolean;
begin
    if p_run.total_is <> 'exact' then  -- the total is an estimate from statistics, which may be out of date
        execute format('select exists (select from shop.product p where %s)', p_run.condition) into any_match;
    end if;
    if not any_match then
        execute format('select exists (select from shop.product p where %s)',
            shop_private.catalog_condition(p_request.catalog)) into any_product;
    end if;
    return case
        when not any_product then format('catalog %L has no products', p_request.catalog)
        when not any_match and p_request.filter is not null then 'none matches the filter'
            || case when (p_request.parsed).condition is not null
                then ' and the phrases, exclusions and fields of the query' else '' end
        when not any_match and (p_request.parsed).condition is not null
            then 'none meets the phrases, exclusions and fields of the query'
        when not any_match and (p_run.ranking).filters is not null then 'rules of the shop leave out all products'
        when not any_match then format('catalog %L has no other product', p_request.catalog)
        when p_request.cut is not null then 'none is similar to the query or has a word of it'
        when greatest(cardinality((p_run.image_leg).product_ids), cardinality((p_run.title_leg).product_ids),
            cardinality((p_run.keyword_leg).product_ids)) > 0 then 'none is similar enough'
        when p_run.image_weight = 0 and p_run.title_weight = 0 then by_words
        else concat_ws('; ', 'none is encoded', by_words) end;
end $$;
