-- Checks each rule before it is stored, so that a mistake in a rule is an error when the rule is saved, and not when
-- somebody searches. The function also computes what a search looks up: the key of the condition, the product that the
-- rule pins or hides, and the vector of the text of a `similar` condition. A live rule that becomes a draft and
-- otherwise stays the same is stored without a check, so any rule can be switched off.
--
-- Rules are saved one after the other, so two sessions cannot save rules that contradict each other. To save a rule, a
-- session locks a row of shop.signal that is always there; only roles that write rules may lock it. An INSERT takes
-- this lock after it has computed the vector. UPDATE and DELETE take the lock before they lock a rule. Otherwise two
-- sessions could wait for each other.
create or replace function shop_private.rule_saved() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if tg_level = 'ROW' then
        new.updated_at := clock_timestamp();
        if tg_op = 'UPDATE' and old.status = 'live' and new.status = 'draft' and row(new.catalog, new.condition,
            new.action, new.valid_from, new.valid_to, new.lookup, new.target_id, new.model_id) is not distinct from
            row(old.catalog, old.condition, old.action, old.valid_from, old.valid_to, old.lookup, old.target_id,
            old.model_id)
        then
            return new;
        end if;
        new.target_id := shop.product_id(case when jsonb_typeof(new.action -> 'pin') = 'string'
            then new.action ->> 'pin' when jsonb_typeof(new.action -> 'hide') = 'string' then new.action ->> 'hide' end,
            new.catalog);
        perform shop_private.check_rule(new);
        new.lookup := shop_private.rule_lookup(new.condition);
        if new.condition ? 'similar' then
            new.vector := shop.clip_text(new.condition ->> 'similar');
            new.model_id := (shop_private.serving()).model_id;
        end if;
        -- check_rule_conflicts compares the new query with rules that have a `similar` condition. This call puts the
        -- vector of the query into the cache, so that check_rule_conflicts does not wait for an encoder while it holds
        -- the lock.
        if new.status = 'live' and new.action ? 'query' and (new.condition ? 'similar' or exists (
            select from shop.rule r where r.catalog = new.catalog and r.status = 'live' and r.lookup = 'other'
                and r.condition ? 'similar' and r.action ? 'query'))
        then
            perform shop.clip_text(new.action ->> 'query');
        end if;
    end if;
    perform from shop.signal s where s.name = 'stock' for no key update;
    if tg_level = 'STATEMENT' then
        return null;
    end if;
    if new.status = 'live' then
        perform shop_private.check_rule_conflicts(new);
    end if;
    return new;
end $$;

create or replace trigger rule_saved before insert or update on shop.rule
for each row execute function shop_private.rule_saved();

create or replace trigger rules_locked before delete or update on shop.rule
for each statement execute function shop_private.rule_saved();
