-- Raises an error if a live rule contradicts another live rule of its catalog: two products have the same place under
-- the same condition, a pinned product is hidden, or a replaced query is replaced again.
create or replace function shop_private.check_rule_conflicts(p_rule shop.rule)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    other shop.rule;
    wrong text;
    hides boolean;
    replaced constant text := shop_private.text_key(p_rule.action ->> 'query');
begin
    if p_rule.action ? 'query' and shop_private.rule_fits(p_rule.condition, replaced, null) then
        wrong := 'its new query meets its own condition';
    end if;
    for other in select r.* from shop.rule r
        where r.catalog = p_rule.catalog and r.status = 'live' and r.rule_id <> p_rule.rule_id
            and tstzrange(r.valid_from, r.valid_to) && tstzrange(p_rule.valid_from, p_rule.valid_to)
            and (r.action ?| '{query,hide}' or r.condition = p_rule.condition)
    loop
        if p_rule.action ? 'pin' and other.action ? 'pin' and p_rule.action -> 'at' = other.action -> 'at' then
            wrong := format('rule %L pins a product at place %s under the same condition', other.name,
                other.action ->> 'at');
        elsif p_rule.action ? 'query' and other.action ? 'query' then
            if shop_private.rule_fits(other.condition, replaced, null) then
                wrong := format('rule %L replaces its new query again', other.name);
            elsif shop_private.rule_fits(p_rule.condition, shop_private.text_key(other.action ->> 'query'), null) then
                wrong := format('it replaces the new query of rule %L again', other.name);
            end if;
        elsif p_rule.action ? 'pin' and other.action ? 'hide'
            and (other.condition = p_rule.condition or other.condition ? 'always')
        then
            execute format('select exists (select from shop.product p where p.product_id = $1 and %s)',
                case when other.target_id is not null then 'p.product_id = $2'
                    else '$2 is null and ' || shop_private.filter_condition(other.action -> 'hide') end)
            into hides using p_rule.target_id, other.target_id;
            wrong := case when hides then format('rule %L hides its product', other.name) end;
        end if;
        exit when wrong is not null;
    end loop;
    if wrong is null and p_rule.lookup = 'other' and (select count(*) from shop.rule r where r.catalog = p_rule.catalog
        and r.status = 'live' and r.lookup = 'other' and r.rule_id <> p_rule.rule_id) >= @max_general_rules@
    then
        wrong := 'the catalog has @max_general_rules@ live rules with the conditions similar, filter and always';
    end if;
    if wrong is not null then
        raise exception using errcode = '22023', message = format('rule %L: %s', p_rule.name, wrong),
            hint = 'Change one of the rules, or keep it as a draft.';
    end if;
end $$;
