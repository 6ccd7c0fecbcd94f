-- Returns how signals and rules change a search. `active` is true if they may change the order of the products,
-- otherwise null. `rules` lists only the rules that set weights of signals. The function needs no SET clause, because
-- it runs under the search_path of run_search.
create or replace function shop_private.search_ranking(p_request shop_private.search_request)
returns shop_private.search_ranking
language plpgsql stable as $$
declare
    ranking shop_private.search_ranking;
    found record;  -- the result of search_rules
    rule shop.rule;
    excluded jsonb;
begin
    if p_request.signals is not null then
        perform shop_private.check_signals(p_request.signals);
    end if;
    if p_request.rules is distinct from 'off' and p_request.query ~ E'\\S'
        and exists (select from shop.rule r where r.catalog = p_request.catalog)
    then
        found := shop_private.search_rules(p_request);
        ranking.unmet := found.unmet;
        foreach rule in array coalesce(found.rules, '{}') loop
            if rule.action ? 'pin' then
                -- without effect if a rule that acts earlier has pinned a product at this place
                continue when (rule.action ->> 'at')::numeric = any(ranking.places);
                ranking.pins := ranking.pins || rule.target_id;
                ranking.places := ranking.places || (rule.action ->> 'at')::numeric::integer;
            elsif rule.action ?| '{boost,bury}' then
                ranking.boosts := ranking.boosts || coalesce(rule.action -> 'boost', rule.action -> 'bury');
                ranking.factors := ranking.factors || coalesce((rule.action ->> 'factor')::double precision,
                    case when rule.action ? 'boost' then 2 else 0.5 end);
            elsif rule.target_id is not null and coalesce(cardinality(ranking.hidden), 0) < @max_inputs@ then
                ranking.hidden := ranking.hidden || rule.target_id;  -- hiding by id costs less than a filter
            elsif rule.action ? 'hide' then
                excluded := case jsonb_typeof(rule.action -> 'hide')
                    when 'string' then jsonb_build_object('sku', rule.action -> 'hide') else rule.action -> 'hide' end;
                ranking.filters := ranking.filters || jsonb_build_object('not', excluded);
            elsif rule.action ? 'filter' then
                ranking.filters := ranking.filters || (rule.action -> 'filter');
            elsif rule.action ? 'signals' then
                ranking.rules := ranking.rules || rule.rule_id;
            else
                ranking.notice := rule.action || coalesce(ranking.notice, '{}');  -- the first rule wins
            end if;
            ranking.names := ranking.names || rule.name;
        end loop;
    end if;
    if num_nonnulls(p_request.signals, ranking.rules, ranking.boosts, ranking.pins) > 0
        or exists (select from shop.signal s where s.weight <> 0)
    then
        ranking.signals := p_request.signals;
        ranking.active := true;
    end if;
    return ranking;
end $$;
