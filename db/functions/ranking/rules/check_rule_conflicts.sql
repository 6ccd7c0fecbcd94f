-- Raises an error if p_rule, a live rule, contradicts another live rule of its catalog that can be valid at the same
-- time. Two rules contradict each other in three cases:
--   (1) they pin products at the same place under the same condition;
--   (2) both replace the query, and the new query of one meets the condition of the other;
--   (3) one hides the product that the other pins, and the hiding rule has an `always` condition, or the same condition
--       as the pinning rule.
-- It does not matter which of the two rules is saved first. The function also raises an error if the new query of
-- p_rule meets the condition of p_rule. An error is also raised if @max_general_rules@ other live rules of the catalog
-- have the same lookup key (see rule_lookup).
create or replace function shop_private.check_rule_conflicts(p_rule shop.rule)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    own_key constant jsonb := shop_private.condition_key(p_rule.condition);
    hides_always constant boolean := p_rule.action ? 'hide' and p_rule.condition ? 'always';
    replaced constant text := p_rule.action ->> 'query';
    other shop.rule;
    pinning shop.rule;
    hiding shop.rule;
    wrong text;
    hides boolean;
begin
    if p_rule.action ? 'query' and shop_private.rule_replaces(p_rule, replaced) then
        wrong := 'its new query meets its own condition';
    end if;
    for other in select r.* from shop.rule r
        where r.catalog = p_rule.catalog and r.status = 'live' and r.rule_id <> p_rule.rule_id
            and tstzrange(r.valid_from, r.valid_to) && tstzrange(p_rule.valid_from, p_rule.valid_to)
            and case
                when p_rule.action ? 'query' then r.action ? 'query'
                when not p_rule.action ?| '{pin,hide}' or not r.action ?| '{pin,hide}'
                    or p_rule.action ? 'hide' and r.action ? 'hide' then false
                when hides_always or r.action ? 'hide' and r.condition ? 'always' then true
                when r.lookup = p_rule.lookup then shop_private.condition_key(r.condition) = own_key
                else false end
    loop
        if p_rule.action ? 'query' then
            if shop_private.rule_replaces(other, replaced) then
                wrong := format('the new query of this rule would in turn be replaced by rule %L', other.name);
            elsif shop_private.rule_replaces(p_rule, other.action ->> 'query') then
                wrong := format('the new query of rule %L would in turn be replaced by this rule', other.name);
            end if;
        elsif p_rule.action ? 'pin' and other.action ? 'pin' then
            wrong := case when p_rule.action -> 'at' = other.action -> 'at' then
                format('rule %L pins a product at place %s under the same condition', other.name, other.action ->> 'at')
                end;
        else
            pinning := case when p_rule.action ? 'pin' then p_rule else other end;
            hiding := case when p_rule.action ? 'hide' then p_rule else other end;
            execute format('select exists (select from shop.product p where p.product_id = $1 and %s)',
                case when hiding.target_id is not null then 'p.product_id = $2'
                    else '$2 is null and ' || shop_private.filter_condition(hiding.action -> 'hide') end)
            into hides using pinning.target_id, hiding.target_id;
            wrong := case
                when hides and p_rule.action ? 'pin'
                    then format('rule %L hides the product that this rule pins', other.name)
                when hides then format('this rule hides the product that rule %L pins', other.name) end;
        end if;
        exit when wrong is not null;
    end loop;
    if wrong is null and (select count(*) from shop.rule r where r.catalog = p_rule.catalog
        and r.status = 'live' and r.lookup = p_rule.lookup and r.rule_id <> p_rule.rule_id) >= @max_general_rules@
    then
        wrong := 'the catalog already has @max_general_rules@ other live rules, the most allowed, ' || case
            when p_rule.condition ? 'query' then 'with this query'
            when p_rule.condition ? 'contains' then 'whose words begin with the same word'
            when p_rule.condition ? 'category' then 'with this category'
            else 'with one of the conditions similar, filter and always' end;
    end if;
    if wrong is not null then
        raise exception using errcode = '22023', message = format('rule %L: %s', p_rule.name, wrong),
            hint = 'Change one of the rules, or keep it as a draft.';
    end if;
end $$;
