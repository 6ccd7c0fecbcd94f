-- Returns the rules that apply to a search, in the order in which they act. Only searches with a text have rules. The
-- function has no SET clause, because it runs under the settings of run_search.
create or replace function shop_private.search_rules(p_request shop_private.search_request)
returns setof shop.rule
language plpgsql stable as $$
declare
    key constant text := shop_private.text_key(p_request.query);
    lookups constant text[] := array['other', 'query ' || md5(key)]
        || array(select 'word ' || md5(w) from string_to_table(key, ' ') w)
        || coalesce('category ' || md5(p_request.filter ->> 'product_type'), '');
    model_id constant smallint := (shop_private.serving()).model_id;
    rule shop.rule;
    vector @vector@.halfvec;
begin
    for rule in
        select r.* from shop.rule r
        where r.catalog = p_request.catalog and r.lookup = any(lookups)
            and (r.status = 'live' or p_request.rules = 'draft')
            and (r.valid_from <= statement_timestamp()) is not false
            and (r.valid_to > statement_timestamp()) is not false
        order by r.priority desc, r.rule_id
    loop
        if rule.condition ? 'similar' and rule.model_id = model_id then
            begin
                vector := coalesce(vector, shop.clip_text(p_request.query));
            exception when sqlstate 'WS001' or sqlstate 'WS002' or sqlstate 'WS004' then
                continue when p_request.degrade;
                raise;
            end;
            continue when 1 - (rule.vector operator(@vector@.<=>) vector)
                < coalesce((rule.condition ->> 'threshold')::double precision, @rule_similarity@);
        else
            continue when not coalesce(shop_private.rule_fits(rule.condition, key, p_request.filter), false);
        end if;
        return next rule;
    end loop;
end $$;
