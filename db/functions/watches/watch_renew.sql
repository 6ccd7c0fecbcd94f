-- Keeps the watches ready: housekeep calls the function every few seconds. It works for about @watch_renew_ms@ ms, and
-- continues in the next call. It
--   (1) disables watches with more than @max_watch_matches@ matches;
--   (2) has every model that serves or is built encode the watches, and measures their floors, once a day;
--   (3) compares the products whose notes are left.
create or replace function shop_private.watch_renew()
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    ends constant timestamptz := clock_timestamp() + interval '@watch_renew_ms@ ms';
    w record;
    made record;
    floors record;
    noted uuid[] := '{00000000-0000-0000-0000-000000000000}';
begin
    delete from shop_private.watch_vector v using shop.model m where m.model_id = v.model_id and m.status = 'retired';
    perform shop_private.watch_disable(o.watch_id, 'more than @max_watch_matches@ products match')
    from shop.watch o
    where o.disabled_at is null and @max_watch_matches@ < (select count(*) from (
        select from shop.watch_match m where m.watch_id = o.watch_id limit @max_watch_matches@ + 1) m);
    for w in
        select o.watch_id, o.catalog, o.query, o.image, o.min_similarity, m.model_id, m.name, m.status, v.embedding
        from shop.watch o
        join shop.model m on m.status in ('serving', 'building')
        left join shop_private.watch_vector v on v.watch_id = o.watch_id and v.model_id = m.model_id
        where o.disabled_at is null and num_nonnulls(o.query, o.image) > 0
          and (v.watch_id is null or v.measured_at < clock_timestamp() - case
                when num_nonnulls(v.image_floor, v.title_floor) = 0 then interval '1 minute' else interval '1 day' end)
          and (v.watch_id is not null or shop_private.encoder_alive(m.model_id))
        order by m.status = 'serving' desc, v.measured_at nulls first
    loop
        exit when clock_timestamp() > ends;
        if w.embedding is null then
            made := shop_private.watch_encode(w.model_id, w.query, w.image);
            if made.refused is not null and w.status = 'serving' then
                perform shop_private.watch_disable(w.watch_id, 'model ' || w.name || ' refuses it: ' || made.refused);
            end if;
            continue when made.vector is null;
            w.embedding := made.vector;
        end if;
        floors := shop_private.watch_floors(w.name, w.catalog, w.embedding);
        insert into shop_private.watch_vector as v (watch_id, model_id, embedding, image_floor, title_floor)
        values (w.watch_id, w.model_id, w.embedding, coalesce(w.min_similarity, floors.image_floor),
            case when w.min_similarity is null then floors.title_floor end)
        on conflict (watch_id, model_id) do update
        set embedding = excluded.embedding, image_floor = excluded.image_floor, title_floor = excluded.title_floor,
            measured_at = excluded.measured_at;
    end loop;
    loop
        noted := array(
            select n.product_id from shop_private.watch_note n
            where n.product_id > noted[cardinality(noted)] order by n.product_id limit 64 for update skip locked);
        exit when cardinality(noted) = 0;
        perform shop_private.watch_tell(noted);
        exit when clock_timestamp() > ends;
    end loop;
end $$;
