-- Raises an error if the condition, the action, the validity or the catalog of a rule cannot be used, or if a product
-- that the rule names does not exist.
create or replace function shop_private.check_rule(p_rule shop.rule)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    condition constant jsonb := p_rule.condition;
    action constant jsonb := p_rule.action;
    -- the key of the condition, the key of the action, and the text of the action
    asked constant text := (select string_agg(k, ' ') from jsonb_object_keys(case jsonb_typeof(condition)
        when 'object' then condition - 'threshold' else '{}' end) k);
    done constant text := (select string_agg(k, ' ') from jsonb_object_keys(case jsonb_typeof(action)
        when 'object' then action - 'at' - 'factor' else '{}' end) k);
    said constant text := coalesce(action ->> done, '');
    wrong text := case
        when asked is null or asked not in ('query', 'contains', 'similar', 'filter', 'category', 'always')
            then 'the condition is not one of query, contains, similar, filter, category and always'
        when asked in ('query', 'contains', 'similar')
            and (jsonb_typeof(condition -> asked) <> 'string' or shop_private.text_key(condition ->> asked) = '')
            then format('%s of the condition is not a text with a word', asked)
        when asked = 'filter' and (jsonb_typeof(condition -> 'filter') <> 'object' or condition -> 'filter' = '{}')
            then 'filter of the condition is not an object with a field'
        when asked = 'category' and jsonb_typeof(condition -> 'category') <> 'string'
            then 'category of the condition is not a text'
        when asked = 'always' and condition -> 'always' <> 'true' then 'always of the condition is not true'
        when condition ? 'threshold' and asked <> 'similar' then 'threshold needs the condition similar'
        when condition ? 'threshold' and (jsonb_typeof(condition -> 'threshold') <> 'number'
            or (condition ->> 'threshold')::numeric not between 0 and 1) then 'threshold is not between 0 and 1'
        when scale((condition ->> 'threshold')::numeric) > 300 then 'threshold has more than 300 decimals'
        when done is null or done not in
            ('pin', 'hide', 'boost', 'bury', 'filter', 'query', 'redirect', 'banner', 'signals')
            then 'the action is not one of pin, hide, boost, bury, filter, query, redirect, banner and signals'
        when done in ('pin', 'query', 'redirect', 'banner') and jsonb_typeof(action -> done) <> 'string'
            then format('%s is not a text', done)
        when done in ('boost', 'bury', 'filter', 'hide') and (action -> done = '{}' or jsonb_typeof(action -> done)
            not in ('object', case done when 'hide' then 'string' else 'object' end))
            then format('%s is not an object with a field', done)
        when done = 'pin' and coalesce(jsonb_typeof(action -> 'at') = 'number'
            and (action ->> 'at')::numeric in (select generate_series(1, @max_rule_place@)), false) is not true
            then 'at is not a place from 1 to @max_rule_place@'
        when action ? 'at' and done <> 'pin' then 'at needs the action pin'
        when action ? 'factor' and done not in ('boost', 'bury') then 'factor needs the action boost or bury'
        when action ? 'factor' and (jsonb_typeof(action -> 'factor') <> 'number' or not case done
            when 'boost' then (action ->> 'factor')::numeric between 1 and 100
            else (action ->> 'factor')::numeric between 0 and 1 end)
            then 'factor is not between 1 and 100 for boost, or between 0 and 1 for bury'
        when scale((action ->> 'factor')::numeric) > 300 then 'factor has more than 300 decimals'
        when done = 'query' and (shop_private.text_key(said) = '' or length(said) > @max_text_length@)
            then 'query of the action has no word, or more than @max_text_length@ characters'
        when done = 'query' and (shop_private.parse_query(said)).typed is not null
            then 'query of the action has a phrase, an exclusion or a field'
        when done = 'redirect' and (said !~ E'^(https?://[^/\\s]|/)\\S*$' or length(said) > 2000) then
            'redirect is not an address that begins with https://, http:// or /'
        when done = 'banner' and length(said) not between 1 and 2000 then 'banner is not 1 to 2,000 characters long'
        when (p_rule.valid_from between '0002-01-01' and '9999-01-01'
            and p_rule.valid_to between '0002-01-01' and '9999-01-01') is false
            then 'valid_from or valid_to is not in the years 2 to 9998; a rule without them has no beginning or end'
        when not p_rule.valid_from < p_rule.valid_to then 'valid_to is not later than valid_from' end;
begin
    if wrong is not null then
        raise exception using errcode = '22023', message = format('rule %L: %s', p_rule.name, wrong),
            hint = 'Such as condition {"query": "red shoes"} and action {"pin": "A-17", "at": 1}.';
    end if;
    if p_rule.catalog <> 'main' and not exists (select from shop.catalog c where c.catalog = p_rule.catalog) then
        raise exception using errcode = '22023',
            message = format('rule %L: there is no catalog %L', p_rule.name, p_rule.catalog);
    end if;
    if asked = 'filter' then
        perform shop_private.filter_condition(condition -> 'filter');
    end if;
    if done in ('boost', 'bury', 'filter') then
        perform shop_private.filter_condition(action -> done);
    elsif done = 'hide' and jsonb_typeof(action -> 'hide') = 'object' then
        perform shop_private.filter_condition(jsonb_build_object('not', action -> 'hide'));  -- as in a search
    elsif done = 'signals' then
        perform shop_private.check_signals(action -> 'signals');
        if exists (select from shop.signal s where s.visible = 'staff' and action -> 'signals' ? s.name) then
            raise exception using errcode = '22023', hint = 'Set its weight in shop.signal.',
                message = format('rule %L: a rule cannot weight a signal that only staff sees', p_rule.name);
        end if;
    end if;
    if p_rule.target_id is not null and not exists (select from shop.product p where p.product_id = p_rule.target_id)
    then
        raise exception using errcode = '42704', message = format('rule %L: there is no product %L in catalog %L',
                p_rule.name, said, p_rule.catalog), hint = 'A rule names the SKU of a product of its own catalog.';
    end if;
end $$;
