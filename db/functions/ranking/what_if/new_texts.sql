-- Returns texts whose vectors the searches of a suite need after the changes p_changes of shop.what_if. These are the
-- queries of the suite, the new queries that rules set, the variants of all these queries with synonyms, and the texts
-- of `similar` conditions in changed rules. To find the variants, the function adds and removes the synonyms of
-- p_changes, and rolls this back.
create or replace function shop_private.new_texts(p_changes jsonb, p_queries jsonb[])
returns text[]
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    change jsonb;
    asked record;
    request shop_private.search_request;
    texts text[] := array(select c -> 'rule' -> 'condition' ->> 'similar' from jsonb_array_elements(p_changes) c);
begin
    for change in select c from jsonb_array_elements(p_changes) c where c ?| '{synonym,remove_synonym}' loop
        perform shop_private.apply_change(change);
    end loop;
    for asked in
        select q ->> 'query' as query, q ->> 'catalog' as catalog, true as typed from unnest(p_queries) q
        union all
        select c -> 'rule' -> 'action' ->> 'query', coalesce(c -> 'rule' ->> 'catalog', 'main'), false
        from jsonb_array_elements(p_changes) c
        union all
        select r.action ->> 'query', r.catalog, false from shop.rule r
        where r.status = 'live' and r.action ? 'query'
            and exists (select from unnest(p_queries) q where r.catalog = q ->> 'catalog'
                and shop_private.rule_fits(r.condition, shop_private.text_key(q ->> 'query'), null))
    loop
        continue when asked.query is null;
        request := null;
        request.query := asked.query;
        request.catalog := asked.catalog;
        if asked.typed then
            request := shop_private.read_query(request);
        else
            request.synonyms := shop_private.synonyms_of(asked.query, asked.catalog);
        end if;
        texts := texts || request.query || shop_private.text_variants(request.query, request.synonyms);
    end loop;
    raise exception using errcode = 'UNDO1', message = 'the synonyms are rolled back';
exception when sqlstate 'UNDO1' then
    return texts;
end $$;
