-- Raises an error if the argument `changes` of shop.what_if has an unknown kind or field, a value that cannot be used,
-- too many changes, or changes of too many products. All other checks are made by the triggers of rules and synonyms,
-- and by shop.add_signal.
create or replace function shop_private.check_changes(p_changes jsonb)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    fields constant jsonb := '{
        "rule": ["name", "catalog", "status", "priority", "valid_from", "valid_to", "condition", "action"],
        "synonym": ["catalog", "language", "from_term", "terms"],
        "weights": ["image_weight", "title_weight", "keyword_weight", "rrf_k"],
        "signal": ["name", "weight", "view", "value_column", "key", "normalise", "half_life", "visible", "catalog"],
        "products": ["filter", "catalog", "price", "price_factor", "availability"],
        "remove_rule": ["name", "catalog"], "remove_synonym": []}';
    kinds constant text := 'rule, remove_rule, synonym, remove_synonym, weights, signal and products';
    entry record;
    wrong text;
    products bigint := 0;
    more bigint;
begin
    if jsonb_typeof(p_changes) is distinct from 'array'
        or jsonb_array_length(p_changes) not between 1 and @what_if_changes@
    then
        raise exception using errcode = '22023',
            message = 'changes must be an array of 1 to @what_if_changes@ changes',
            hint = 'For example: [{"synonym": {"terms": ["sofa", "couch"]}}].';
    end if;
    for entry in
        select c.n, k.kind, c.change -> k.kind as value, jsonb_typeof(c.change -> k.kind) as type,
            (select min(f) from jsonb_object_keys(case jsonb_typeof(c.change -> k.kind) when 'object'
                then c.change -> k.kind else '{}' end) f where not fields -> k.kind ? f) as unknown
        from jsonb_array_elements(p_changes) with ordinality c(change, n)
        left join lateral (select min(o) as kind from jsonb_object_keys(
            case jsonb_typeof(c.change) when 'object' then c.change else '{}' end) o having count(*) = 1) k on true
    loop
        wrong := case
            when entry.kind is null or not fields ? entry.kind then 'it must be an object with exactly one of ' || kinds
            when entry.kind = 'remove_rule' and jsonb_typeof(coalesce(entry.value -> 'name', entry.value))
                is distinct from 'string' then 'remove_rule must be the name of a rule'
            when entry.kind = 'remove_synonym' and entry.value::text !~ E'^\\d{1,18}$'
                then 'remove_synonym must be the synonym_id of a synonym'
            when entry.kind = 'remove_synonym' or entry.kind = 'remove_rule' and entry.type = 'string' then null
            when entry.type <> 'object' then format('%s is not an object', entry.kind)
            when entry.unknown is not null then format('%s has no field %L; its fields are %s', entry.kind,
                left(entry.unknown, 100), (select string_agg(f, ', ') from jsonb_array_elements_text(
                    fields -> entry.kind) f))
            when entry.kind in ('rule', 'signal') and jsonb_typeof(entry.value -> 'name') is distinct from 'string'
                then format('%s needs a name', entry.kind)
            when entry.kind = 'rule' and (entry.value ->> 'name' !~ E'\\S' or length(entry.value ->> 'name') > 100)
                then 'the name of a rule must have 1 to 100 characters, not only blanks'
            when entry.kind in ('rule', 'remove_rule') and jsonb_typeof(entry.value -> 'catalog') <> 'string'
                then 'catalog must be a text'
            when entry.value -> 'priority' = 'null' then 'priority must be a number'
            when entry.kind = 'rule' and not coalesce(entry.value -> 'status', '"live"') <@ '["live", "draft"]'
                then 'status must be live or draft'
            when entry.kind = 'synonym' and jsonb_typeof(entry.value -> 'terms') is distinct from 'array'
                then 'terms must be an array of texts'
            when entry.kind = 'signal' and not entry.value ? 'view' and (not entry.value ? 'weight'
                or (select count(*) from jsonb_object_keys(entry.value)) > 2)
                then 'a signal without a view must have a name and a weight, and nothing else'
            when entry.kind = 'signal' and entry.value ? 'weight' and (jsonb_typeof(entry.value -> 'weight') <> 'number'
                or abs((entry.value ->> 'weight')::numeric) > @max_signal_weight@)
                then 'the weight of a signal must be from -@max_signal_weight@ to @max_signal_weight@'
            when entry.kind = 'weights' and (entry.value = '{}' or exists (select from jsonb_each(entry.value) w
                where jsonb_typeof(w.value) <> 'number' or case w.key when 'rrf_k'
                    then (w.value #>> '{}')::numeric not in (select generate_series(1, @max_rrf_k@))
                    else (w.value #>> '{}')::numeric not between 0 and @max_weight@ end))
                then 'weights must be numbers from 0 to @max_weight@, and rrf_k a whole number from 1 to @max_rrf_k@'
            when entry.kind <> 'products' then null
            when jsonb_typeof(entry.value -> 'filter') is distinct from 'object' then 'filter must be an object'
            when not entry.value ?| '{price,price_factor,availability}' or entry.value ?& '{price,price_factor}'
                then 'products needs a price, a price_factor or an availability, but not both price and price_factor'
            when jsonb_typeof(coalesce(entry.value -> 'price', entry.value -> 'price_factor')) <> 'number'
                or (entry.value ->> 'price')::numeric not between 0 and 9999999999
                or (entry.value ->> 'price_factor')::numeric not between 0 and 100
                then 'a price must be a number from 0 to 9999999999, and a price_factor from 0 to 100'
            when not entry.value -> 'availability' <@ '["in_stock", "out_of_stock", "preorder", "backorder"]'
                then 'availability must be in_stock, out_of_stock, preorder or backorder' end;
        if wrong is not null then
            raise exception using errcode = '22023', message = format('change %s: %s', entry.n, wrong),
                hint = 'docs/relevance.md describes the changes.';
        end if;
        if entry.kind = 'products' then
            execute format('select count(*) from (select from shop.product p where %s limit @what_if_products@ + 1) s',
                shop_private.changed_condition(entry.value)) into more;
            products := products + more;
        end if;
    end loop;
    if products > @what_if_products@ then
        raise exception using errcode = '54000', message = 'the changes affect more than @what_if_products@ products',
            hint = 'Narrow the filter.';
    end if;
end $$;
