-- Returns a row of calibration_run (a run) for the caller to continue. If there is an unfinished run with the same
-- target, k and number of queries, the function returns this run, and `resumed` is true. The unfinished run must have
-- begun less than a day ago, with the same model, index and schema revision, and with about the same number of
-- products. If there is no such run, the function deletes every unfinished run and returns a new run. Raises an error
-- if an argument is out of range, if no model is serving, or if another session is calibrating.
--
-- Before a new run, the function analyzes shop.product and the two tables of vectors, and refreshes the common words.
-- Without p_analyze, it analyzes only tables that were never analyzed.
create or replace function shop_private.calibration_begin(
    p_target double precision, p_k integer, p_queries integer, p_analyze boolean,
    out run shop_private.calibration_run, out resumed boolean
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    s shop_private.search_settings;
    wanted jsonb;
    relation regclass;
    in_use boolean := false;
begin
    if p_target is null or p_target not between 0.5 and 0.9999 then
        raise exception using errcode = '22023', message = 'target_recall must be from 0.5 to 0.9999';
    end if;
    if p_k is null or p_k not between 1 and 100 or p_queries is null or p_queries not between 5 and 1000 then
        raise exception using errcode = '22023',
            message = 'k must be from 1 to 100, and queries from 5 to 1000';
    end if;
    begin
        -- This lock conflicts with itself and with writers, but not with readers. Only the owner may take it.
        lock table shop_private.calibration_run in share row exclusive mode nowait;
    exception when lock_not_available then
        in_use := true;
    end;
    -- Between two steps, the calibrating session holds no lock, but it is still connected.
    if in_use or exists (
        select from shop_private.calibration_run r
        join pg_stat_activity a on a.pid = r.session and a.pid <> pg_backend_pid()
        where r.stepped_at > clock_timestamp() - interval '1 minute')
    then
        raise exception using errcode = '55P03', message = 'another session is calibrating',
            hint = 'Wait until that calibration ends, or stop it.';
    end if;
    s := shop_private.search_settings();
    wanted := jsonb_build_object('schema', '@revision@', 'revision', s.revision, 'table', s.image_table::oid::bigint,
        'index', s.image_index::oid::bigint, 'target_recall', p_target, 'k', p_k, 'queries', p_queries);
    update shop_private.calibration_run r set session = pg_backend_pid(), stepped_at = clock_timestamp()
    where r.model_id = s.model_id and r.measures = wanted
        and s.products between r.products / @calibration_growth@ and r.products * @calibration_growth@
        and r.began_at > clock_timestamp() - interval '1 day'
    returning r.* into run;
    resumed := found;
    if resumed then
        return;
    end if;
    delete from shop_private.calibration_run;
    delete from shop_private.calibration_list;
    foreach relation in array array['shop.product'::regclass, s.image_table, s.title_table] loop
        if p_analyze or (select c.reltuples < 0 from pg_class c where c.oid = relation) then
            execute format('analyze %s', relation);
        end if;
    end loop;
    perform shop_private.refresh_common_words();
    s := shop_private.search_settings();
    insert into shop_private.calibration_run (model_id, measures, products, k, target_recall, session)
    values (s.model_id, wanted, s.products, p_k, p_target, pg_backend_pid()) returning * into run;
end $$;
