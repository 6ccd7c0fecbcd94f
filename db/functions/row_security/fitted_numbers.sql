-- Returns the weights, rrf_k and the match thresholds of model p_model_id for a role that does not see shop.tuning. The
-- details of a fit, which name catalogs and values of products, are not returned.
create or replace function shop_private.fitted_numbers(p_model_id smallint)
returns table (name text, value double precision)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select t.name, t.value from shop.tuning t
    where t.model_id = p_model_id and t.name in ('image_weight', 'title_weight', 'keyword_weight', 'rrf_k',
        'match:phash', 'match:image', 'match:title', 'match:trigram')
$$;
