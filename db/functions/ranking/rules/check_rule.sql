-- Raises an error if the condition, the action, the period (valid_from, valid_to) or the catalog of a rule cannot be
-- used, or if the catalog of the rule does not have the product that the action names.
create or replace function shop_private.check_rule(p_rule shop.rule)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    condition constant jsonb := p_rule.condition;
    action constant jsonb := p_rule.action;
    -- asked: the key of the condition other than threshold; done: the key of the action other than at and factor;
    -- said: the value of this key of the action, as a text
    asked constant text := (select string_agg(k, ' ') from jsonb_object_keys(case jsonb_typeof(condition)
        when 'object' then condition - 'threshold' else '{}' end) k);
    done constant text := (select string_agg(k, ' ') from jsonb_object_keys(case jsonb_typeof(action)
        when 'object' then action - 'at' - 'factor' else '{}' end) k);
    said constant text := coalesce(action ->> done, '');
    wrong text := case
        when asked is null or asked not in ('query', 'contains', 'similar', 'filter', 'category', 'always')
            then 'the condition needs exactly one of query, contains, similar, filter, category and always'
        when asked in ('query', 'contains', 'similar')
            and (jsonb_typeof(condition -> asked) <> 'string' or shop_private.text_key(condition ->> asked) = '')
            then format('"%s" in the condition must be a text that has at least one word', asked)
        when asked = 'filter' and (jsonb_typeof(condition -> 'filter') <> 'object' or condition -> 'filter' = '{}')
            then '"filter" in the condition must be an object with at least one field'
        when asked = 'category' and jsonb_typeof(condition -> 'category') <> 'string'
            then '"category" in the condition must be a text'
        when asked = 'always' and condition -> 'always' <> 'true' then '"always" in the condition must be true'
        when condition ? 'threshold' and asked <> 'similar' then 'threshold needs the condition similar'
        when condition ? 'threshold' and (jsonb_typeof(condition -> 'threshold') <> 'number'
            or (condition ->> 'threshold')::numeric not between 0 and 1) then 'threshold must be a number from 0 to 1'
        when scale((condition ->> 'threshold')::numeric) > 300 then 'threshold has more than 300 decimals'
        when done is null or done not in
            ('pin', 'hide', 'boost', 'bury', 'filter', 'query', 'redirect', 'banner', 'signals')
            then 'the action needs exactly one of pin, hide, boost, bury, filter, query, redirect, banner and signals'
        when done in ('pin', 'query', 'redirect', 'banner') and jsonb_typeof(action -> done) <> 'string'
            then format('"%s" in the action must be a text', done)
        when done in ('boost', 'bury', 'filter', 'hide') and (action -> done = '{}' or jsonb_typeof(action -> done)
            not in ('object', case done when 'hide' then 'string' else 'object' end))
            then format('"%s" in the action must be %s object with at least one field', done,
                case done when 'hide' then 'a SKU or an' else 'an' end)
        when done = 'pin' and coalesce(jsonb_typeof(action -> 'at') = 'number'
            and (action ->> 'at')::numeric in (select generate_series(1, @max_rule_place@)), false) is not true
            then 'pin needs "at", a place from 1 to @max_rule_place@'
        when action ? 'at' and done <> 'pin' then '"at" needs the action pin'
        when action ? 'factor' and done not in ('boost', 'bury') then 'factor needs the action boost or bury'
        when action ? 'factor' and (jsonb_typeof(action -> 'factor') <> 'number' or not case done
            when 'boost' then (action ->> 'factor')::numeric between 1 and 100
            else (action ->> 'factor')::numeric between 0 and 1 end)
            then 'factor must be a number from 1 to 100 for boost, and from 0 to 1 for bury'
        when scale((action ->> 'factor')::numeric) > 300 then 'factor has more than 300 decimals'
        when done = 'query' and (shop_private.text_key(said) = '' or length(said) > @max_text_length@)
            then '"query" in the action must have at least one word, and at most @max_text_length@ characters'
        when done = 'query' and (shop_private.parse_query(said)).typed is not null
            then '"query" in the action cannot have a phrase, an exclusion or a field'
        when done = 'redirect' and (said !~ E'^(https?://[^/\\s]|/)\\S*$' or length(said) > 2000) then
            'redirect must begin with https://, http:// or /, have no blanks and at most 2,000 characters'
        when done = 'banner' and length(said) not between 1 and 2000 then 'banner must have 1 to 2,000 characters'
        when (p_rule.valid_from between '0002-01-01' and '9999-01-01'
            and p_rule.valid_to between '0002-01-01' and '9999-01-01') is false
            then 'valid_from and valid_to must lie in the years 2 to 9998'
        when not p_rule.valid_from < p_rule.valid_to then 'valid_to must be later than valid_from' end;
begin
    if wrong is not null then
        raise exception using errcode = '22023', message = format('rule %L: %s', p_rule.name, wrong),
            hint = case when wrong like 'valid_from and %'
                then 'Leave valid_from out for a rule without a beginning, and valid_to out for a rule without an end.'
                else 'A valid rule: condition {"query": "red shoes"}, action {"pin": "A-17", "at": 1}.' end;
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
        -- a search uses the negated filter, so the negated filter is checked
        perform shop_private.filter_condition(jsonb_build_object('not', action -> 'hide'));
    elsif done = 'signals' then
        perform shop_private.check_signals(action -> 'signals');
        if exists (select from shop.signal s where s.visible = 'staff' and action -> 'signals' ? s.name) then
            raise exception using errcode = '22023', hint = 'Set the weight of the signal in shop.signal.',
                message = format('rule %L: a rule cannot change the weight of a signal that only staff sees',
                    p_rule.name);
        end if;
    end if;
    if p_rule.target_id is not null and not exists (select from shop.product p where p.product_id = p_rule.target_id)
    then
        raise exception using errcode = '42704', message = format('rule %L: there is no product %L in catalog %L',
                p_rule.name, said, p_rule.catalog), hint = 'The product must be in the catalog of the rule.';
    end if;
end $$;
