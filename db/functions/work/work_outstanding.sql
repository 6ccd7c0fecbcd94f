-- Counts the work items of the models in p_models, by state. Progress bars and the summary of an encoder show the
-- numbers.
create or replace function shop_private.work_outstanding(p_models smallint[])
returns table (pending bigint, leased bigint, quarantined bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select count(*) filter (where w.state = 'pending'), count(*) filter (where w.state = 'leased'),
        count(*) filter (where w.state = 'quarantined')
    from shop_private.work w where w.model_id = any (p_models);
$$;
