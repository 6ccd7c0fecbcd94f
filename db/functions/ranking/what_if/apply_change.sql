-- Applies one object of the `changes` of shop.what_if. For the key `products`, it does nothing (see change_products).
create or replace function shop_private.apply_change(p_change jsonb)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    rule shop.rule;
    synonym shop.synonym;
    signal constant jsonb := p_change -> 'signal';
begin
    if p_change ? 'rule' then
        select r.* into rule from shop.rule r where r.name = p_change -> 'rule' ->> 'name'
            and r.catalog = coalesce(p_change -> 'rule' ->> 'catalog', 'main');
        if found then
            rule := jsonb_populate_record(rule, p_change -> 'rule');
            update shop.rule r set status = rule.status, priority = rule.priority,
                valid_from = rule.valid_from, valid_to = rule.valid_to, condition = rule.condition, action = rule.action
            where r.rule_id = rule.rule_id;
        else
            rule := jsonb_populate_record(null::shop.rule,
                '{"catalog": "main", "status": "live", "priority": 0}' || (p_change -> 'rule'));
            insert into shop.rule (name, catalog, status, priority, valid_from, valid_to, condition, action)
            values (rule.name, rule.catalog, rule.status, rule.priority, rule.valid_from, rule.valid_to,
                rule.condition, rule.action);
        end if;
    elsif p_change ? 'remove_rule' then
        delete from shop.rule r where r.name = coalesce(p_change -> 'remove_rule' ->> 'name',
                p_change ->> 'remove_rule')
            and r.catalog = coalesce(p_change -> 'remove_rule' ->> 'catalog', 'main');
        if not found then
            raise exception using errcode = '42704', message = format('there is no rule %L',
                coalesce(p_change -> 'remove_rule' ->> 'name', p_change ->> 'remove_rule'));
        end if;
    elsif p_change ? 'synonym' then
        synonym := jsonb_populate_record(null::shop.synonym, p_change -> 'synonym');
        insert into shop.synonym (catalog, language, from_term, terms)
        values (synonym.catalog, synonym.language, synonym.from_term, synonym.terms)
        on conflict do nothing;
    elsif p_change ? 'remove_synonym' then
        delete from shop.synonym s where s.synonym_id = (p_change ->> 'remove_synonym')::bigint;
        if not found then
            raise exception using errcode = '42704',
                message = format('there is no synonym %s', p_change ->> 'remove_synonym');
        end if;
    elsif p_change ? 'weights' then
        insert into shop.tuning (model_id, name, value)
        select (shop_private.serving()).model_id, w.key, (w.value #>> '{}')::double precision
        from jsonb_each(p_change -> 'weights') w
        on conflict (model_id, name) do update set value = excluded.value;
    elsif signal ? 'view' then
        perform shop.add_signal(signal ->> 'name', signal ->> 'view', coalesce(signal ->> 'value_column', 'value'),
            coalesce(signal ->> 'key', 'product_id'), coalesce(signal ->> 'normalise', 'percentile'),
            (signal ->> 'half_life')::interval, coalesce((signal ->> 'weight')::double precision, 0),
            coalesce(signal ->> 'visible', 'all'), signal ->> 'catalog');
    elsif signal is not null then
        update shop.signal s set weight = (signal ->> 'weight')::double precision where s.name = signal ->> 'name';
        if not found then
            raise exception using errcode = '42704', message = format('there is no signal %L', signal ->> 'name');
        end if;
    end if;
end $$;
