-- Returns the condition on p (shop.product) that the operators of a query set, or null if they set none. A product must
-- meet all operators. But if the query requires several values of one field, one of these values is enough. An excluded
-- text that has only stop words excludes no product. The function needs no SET clause, because it runs under the
-- search_path of its callers.
create or replace function shop_private.query_condition(p_parsed shop_private.parsed_query, p_catalog text)
returns text
language plpgsql stable as $$
declare
    language constant regconfig := shop_private.keyword_language(p_catalog);
    conditions text[];
begin
    conditions := array(select shop_private.phrase_condition(w, language) from unnest(p_parsed.phrases) w)
        || array(select format('(%s) is not true', c.condition)
            from unnest(p_parsed.excluded) w, shop_private.keyword_query(w, language) q,
                shop_private.phrase_condition(w, language) c(condition)
            where not q.only_stop_words and c.condition is not null)
        || array(
            select case when f.negated then format('(%s) is not true', c.condition)
                -- an index finds the identifiers of a product
                when f.field in ('sku', 'gtin', 'mpn') then format('(%s and
                    shop_private.identifier_keys(p.sku, p.gtin, p.mpn, p.attributes) && %L::text[])', c.condition, keys)
                else c.condition end
            from (select e ->> 'field' as field, (e -> 'not')::boolean as negated, k.function,
                    array_agg(case k.function when 'field_key' then shop_private.field_key(e ->> 'value')
                        else shop_private.identifier_key(e ->> 'value') end) as keys
                from jsonb_array_elements(p_parsed.fields) e,
                    lateral (select case when e ->> 'field' in ('size', 'color', 'material', 'product_type')
                        then 'field_key' else 'identifier_key' end) k(function)
                group by 1, 2, 3) f,
                format('shop_private.%I(p.%I) = any(%L::text[])', f.function, f.field, f.keys) c(condition));
    return nullif(array_to_string(conditions, ' and '), '');
end $$;
