-- Queues the jobs of dead workers again, so that another worker runs them. A worker is dead if its last heartbeat is
-- more than p_seconds old, or if it is no longer in procrastinate_workers. A job that has had p_attempts attempts fails
-- instead, because it has probably made its workers die. Attempts that did not end with the death of a worker count
-- too. Returns the number of all jobs of dead workers, failed jobs included.
create or replace function shop_private.take_up_jobs(p_seconds double precision, p_attempts integer)
returns bigint
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    lost record;
    taken bigint := 0;
begin
    for lost in
        select j.id, j.attempts from shop_jobs.procrastinate_jobs j
        where j.status = 'doing' and not exists (
            select from shop_jobs.procrastinate_workers w
            where w.id = j.worker_id and w.last_heartbeat > clock_timestamp() - make_interval(secs => p_seconds))
        order by j.id for update of j skip locked
    loop
        taken := taken + 1;
        if lost.attempts + 1 < p_attempts then
            perform shop_jobs.procrastinate_retry_job_v2(lost.id, null, null, null, null);
        else
            perform shop_jobs.procrastinate_finish_job_v1(lost.id, 'failed', false);
        end if;
    end loop;
    return taken;
end $$;
