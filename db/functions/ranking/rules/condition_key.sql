-- Returns the condition of a rule with its text replaced by the key of the text (see text_key). Two conditions with the
-- same result are met by the same searches.
create or replace function shop_private.condition_key(p_condition jsonb)
returns jsonb
language sql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
    select p_condition || coalesce((
        select jsonb_object_agg(e.key, shop_private.text_key(e.value)) from jsonb_each_text(p_condition) e
        where e.key in ('query', 'contains', 'similar')), '{}')
$$;
