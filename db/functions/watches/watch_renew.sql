-- Does the regular work for the watches in four steps:
--   (1) compares products with the watches: up to @watch_renew_products@ of the products that have a note, in the order
--       of their ids from a random id on. A note names a product that must be compared (see watch_note);
--   (2) deletes the vectors of retired models;
--   (3) disables watches with more than @max_watch_matches@ matches;
--   (4) has each serving or building model encode the watches that it has not encoded yet. The floors of a watch are
--       measured again after a day, or after a minute if the watch has no floor.
-- Steps 3 and 4 end after about @watch_renew_ms@ ms, and continue in the next call. The function waits only a short
-- time for a lock, because the session that calls the function also answers queries.
create or replace function shop_private.watch_renew()
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set lock_timeout = '200ms' as $$
declare
    ends constant timestamptz := clock_timestamp() + interval '@watch_renew_ms@ ms';
    start constant uuid := gen_random_uuid();
    noted uuid[];
    w record;
    made record;
    floors record;
begin
    noted := array(
        select n.product_id from shop_private.watch_note n where n.product_id >= start
        order by n.product_id limit @watch_renew_products@ for update skip locked);
    noted := noted || array(
        select n.product_id from shop_private.watch_note n where n.product_id < start
        order by n.product_id limit @watch_renew_products@ - cardinality(noted) for update skip locked);
    if noted <> '{}' then
        perform shop_private.watch_tell(noted);
    end if;
    delete from shop_private.watch_vector v using shop.model m where m.model_id = v.model_id and m.status = 'retired';
    for w in  -- the count includes deleted matches, so the matches are counted again
        select o.watch_id, o.created_by, (select count(*) from (
            select from shop.watch_match m where m.watch_id = o.watch_id limit @max_watch_matches@ + 1) m) as matches
        from shop.watch o join shop_private.watch_count c using (watch_id)
        where o.disabled_at is null and c.matches > @max_watch_matches@ for no key update of o skip locked
    loop
        if w.matches > @max_watch_matches@ then
            perform shop_private.watch_disable(w.watch_id, case when shop_private.watch_role_sees_all(w.created_by)
                then 'more than @max_watch_matches@ products match' else 'too many products match' end);
        else
            update shop_private.watch_count c set matches = w.matches where c.watch_id = w.watch_id;
        end if;
        exit when clock_timestamp() > ends;
    end loop;
    for w in
        with models as materialized (
            select m.model_id, m.name, m.status, shop_private.encoder_alive(m.model_id) as encodes
            from shop.model m where m.status in ('serving', 'building')
        )
        select o.watch_id, o.catalog, o.query, o.image, o.min_similarity, m.model_id, m.name, m.status, v.embedding
        from shop.watch o
        cross join models m
        left join shop_private.watch_vector v on v.watch_id = o.watch_id and v.model_id = m.model_id
        where o.disabled_at is null and num_nonnulls(o.query, o.image) > 0
          and (v.watch_id is null or v.measured_at < clock_timestamp() - case
                when num_nonnulls(v.image_floor, v.title_floor) = 0 then interval '1 minute' else interval '1 day' end)
          and (v.watch_id is not null or m.encodes)
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
end $$;
