-- Checks each rule before it is stored, and computes what a search looks up: the key of the condition, the product, and
-- the vector of the text of a condition `similar`. So a mistake in a rule is an error when the rule is saved, never
-- when somebody searches. Rules are saved one after the other, so two sessions cannot pin two products to one place.
create or replace function shop_private.rule_saved() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    lock table shop.rule in share row exclusive mode;
    new.target_id := shop.product_id(case when jsonb_typeof(new.action -> 'pin') = 'string' then new.action ->> 'pin'
        when jsonb_typeof(new.action -> 'hide') = 'string' then new.action ->> 'hide' end, new.catalog);
    perform shop_private.check_rule(new);
    new.lookup := shop_private.rule_lookup(new.condition);
    if new.condition ? 'similar' then
        new.vector := shop.clip_text(new.condition ->> 'similar');
        new.model_id := (shop_private.serving()).model_id;
    end if;
    if new.status = 'live' then
        perform shop_private.check_rule_conflicts(new);
    end if;
    new.updated_at := clock_timestamp();
    return new;
end $$;

create or replace trigger rule_saved before insert or update on shop.rule
for each row execute function shop_private.rule_saved();
