-- Chooses the labels whose indexes a search reads, and stores them in p_settings. A label is a frequent value of a
-- field; the products with this value have HNSW indexes of their own. A field is considered if the filter or the
-- catalog of the request restricts it to values that all have valid indexes, for images and for titles. Of these
-- fields, the function takes the one whose values have the fewest titles in their indexes. Each of these values becomes
-- a label of the search. p_condition is the condition of the request. label_share is the labels' share of all products
-- if p_condition is nothing but the condition of the labels, otherwise null. label_ef is the largest calibrated
-- ef_search of the labels. It is raised if a label has grown, and null if a label has no calibrated ef_search. A forced
-- route uses no labels. Under row level security, a label is used only if the caller sees a product of it. The function
-- needs no SET clause, because it runs under the search_path of run_search.
create or replace function shop_private.search_labels(
    p_request shop_private.search_request, p_condition text, inout p_settings shop_private.search_settings
)
language plpgsql stable as $$
declare
    label record;
    test jsonb;  -- the test of the label's field at the top level of the filter
begin
    if p_request.route is not null or p_condition = 'true' or not exists (select from shop.label_index) then
        return;
    end if;
    select i.field, i.vals, array_agg(l.label_id) as labels, sum(c.images) as images, sum(c.titles) as titles,
        case when count(l.ef_search) = count(*)
            then least(@max_ef_search@, max(l.ef_search * sqrt(greatest(1, c.images / l.images)))) end as ef
    into label
    from (select f.field, f.vals from shop_private.implied_labels(p_request.filter) f
        union all
        select 'catalog', array[to_jsonb(p_request.catalog)] where p_condition ~ '^p[.]catalog = ') i
    cross join unnest(i.vals) v(value)
    left join shop.label_index l on l.model_id = p_settings.model_id and l.field = i.field and l.value = v.value
    cross join lateral (select shop_private.label_rows(p_settings.model, 'image', l.label_id) as images,
        shop_private.label_rows(p_settings.model, 'title', l.label_id) as titles) c
    group by i.field, i.vals
    having count(*) = count(*) filter (where c.images >= 0 and c.titles > 0)
    order by sum(c.titles) limit 1;
    if not found then
        return;
    end if;
    p_settings.labels := label.labels;
    p_settings.label_images := label.images;
    p_settings.label_titles := label.titles;
    p_settings.label_ef := label.ef;
    test := p_request.filter -> label.field;
    if (case when label.field = 'catalog' then p_condition = format('p.catalog = %L', p_request.catalog)
        when label.field = 'top:product_type' then false
        when test is not null then p_request.filter - label.field = '{}' and (p_request.parsed).condition is null
            and p_condition !~ '^p[.]catalog = '
            and (jsonb_typeof(test) <> 'object' or (select count(*) = 1 from jsonb_object_keys(test)))
        else p_condition = format('(%s)', shop_private.filter_condition(jsonb_build_object(label.field,
            case when cardinality(label.vals) > 1 then to_jsonb(label.vals) else label.vals[1] end))) end)
    then
        p_settings.label_share := least(1, label.titles / greatest(1, p_settings.products));
    end if;
end $$;
