-- Returns the newest calibration of model p_model_id for a role that does not see shop.calibration. The numbers of
-- products and queries, the measurements and the advice are left out. ef_search is scaled to the present number of
-- products, as search_settings scales it for other roles.
create or replace function shop_private.calibration_figures(p_model_id smallint)
returns shop.calibration
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    newest shop.calibration;
    products constant bigint := shop_private.row_estimate((
        select to_regclass(format('shop.%I', m.name || '_title')) from shop.model m where m.model_id = p_model_id));
begin
    select * into newest from shop.calibration c
    where c.model_id = p_model_id order by c.calibration_id desc limit 1;
    newest.ef_search := least(case when newest.bits is null then @max_ef_search@ else @hnsw_max_candidates@ end,
        newest.ef_search * sqrt(greatest(1, products / greatest(1.0, newest.products))));
    newest.products := null;
    newest.queries := null;
    newest.measured := null;
    newest.advice := null;
    return newest;
end $$;
