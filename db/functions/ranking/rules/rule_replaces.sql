-- Tells whether p_rule, a rule that replaces the query, would replace the query p_text. For a rule with a `similar`
-- condition, the function needs the vector of p_text, unless the text of the condition has the same key as p_text (see
-- text_key).
create or replace function shop_private.rule_replaces(p_rule shop.rule, p_text text)
returns boolean
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    key constant text := shop_private.text_key(p_text);
begin
    if not p_rule.condition ? 'similar' then
        return shop_private.rule_fits(p_rule.condition, key, null);
    end if;
    return shop_private.text_key(p_rule.condition ->> 'similar') = key
        or p_rule.model_id = (shop_private.serving()).model_id
            and 1 - (p_rule.vector operator(@vector@.<=>) shop.clip_text(p_text))
                >= coalesce((p_rule.condition ->> 'threshold')::double precision, @rule_similarity@);
end $$;
