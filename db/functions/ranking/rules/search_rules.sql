-- Returns the rules that apply to a search, in the order in which they act. Only searches with a text have rules. A
-- rule with a `similar` condition needs the vector of the text. Without the vector, such a rule does not apply, and
-- `unmet` gives one of three reasons: the search compares no vectors; the text is too long for a vector; the text
-- cannot be encoded, and the search goes on without a vector (`degrade`). The function needs no SET clause, because it
-- runs under the search_path of run_search.
create or replace function shop_private.search_rules(
    p_request shop_private.search_request, out rules shop.rule[], out unmet text
)
language plpgsql stable as $$
declare
    key constant text := shop_private.text_key(p_request.query);
    lookups constant text[] := array['other', 'query ' || md5(key)]
        || array(select 'word ' || md5(w) from string_to_table(key, ' ') w)
        || coalesce('category ' || md5(p_request.filter ->> 'product_type'), '');
    serving constant smallint := (shop_private.serving()).model_id;
    no_vector constant text := case
        when not shop_private.needs_vectors(p_request) then 'only keywords are searched'
        when length(p_request.query) > @max_text_length@
            then 'the text has more than @max_text_length@ characters' end;
    now constant timestamptz := statement_timestamp();
    asked @vector@.halfvec;  -- the vector of the text
begin
    if exists (
        select from shop.rule r
        where r.catalog = p_request.catalog and r.lookup = 'other' and r.condition ? 'similar'
            and r.model_id = serving and (r.status = 'live' or p_request.rules = 'draft')
            and coalesce(r.valid_from <= now, true) and coalesce(r.valid_to > now, true))
    then
        unmet := no_vector;
        if unmet is null then
            begin
                asked := shop.clip_text(p_request.query);
            exception when sqlstate 'WS001' or sqlstate 'WS002' or sqlstate 'WS004' then
                if p_request.degrade is not true then
                    raise;
                end if;
                unmet := sqlerrm;
            end;
        end if;
    end if;
    rules := array(
        select r from shop.rule r
        where r.catalog = p_request.catalog and r.lookup = any(lookups)
            and (r.status = 'live' or p_request.rules = 'draft')
            and coalesce(r.valid_from <= now, true) and coalesce(r.valid_to > now, true)
            and case when r.condition ? 'similar'
                then r.model_id = serving and 1 - (r.vector operator(@vector@.<=>) asked)
                    >= coalesce((r.condition ->> 'threshold')::double precision, @rule_similarity@)
                else shop_private.rule_fits(r.condition, key, p_request.filter) end
        order by r.priority desc, r.rule_id);
end $$;
