-- Stores a new watch and sets its key. The serving model encodes the text and the image now. watch_renew has other
-- models encode them later.
--
-- The function reads every product, because row level security does not limit it. If the caller sees no product of the
-- catalog (see new_watch), the catalog seems not to exist.
create or replace function shop_private.watch_store() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set quote_all_identifiers = off as $$
declare
    condition constant text := shop_private.filter_condition(new.filter);
    language constant text := shop_private.text_language(nullif(current_setting('shop.language', true), ''));
    words tsquery;
    m record;
    vector @vector@.halfvec;
    image_floor double precision := new.min_similarity;
    title_floor double precision;
begin
    if not new.seen then
        raise exception using errcode = '42704', message = format('there is no catalog %L', new.catalog),
            hint = 'A role under row level security must see a product of the catalog.';
    end if;
    words := shop_private.watch_words(new.query, shop_private.keyword_language(new.catalog), new.min_similarity);
    if num_nonnulls(new.query, new.image) > 0 then
        m := shop_private.serving();
        vector := shop_private.watch_mean(
            case when new.query is not null
                then shop_private.query_vector(m.model_id, 't', shop_private.text_payload(new.query)) end,
            case when new.image is not null
                then shop_private.query_vector(m.model_id, 'i', shop_private.image_payload(new.image)) end);
        if new.min_similarity is null then
            select f.image_floor, f.title_floor into image_floor, title_floor
            from shop_private.watch_floors(m.model, new.catalog, vector) f;
        end if;
        if num_nonnulls(image_floor, title_floor) = 0 then
            raise exception using errcode = '22023', message = format(
                    'catalog %L has fewer than @cut_least_vectors@ encoded products, so no similarity is known to be '
                    'high', new.catalog),
                hint = 'Give min_similarity, or create the watch when more products are encoded.';
        end if;
    end if;
    insert into shop.catalog (catalog) values (new.catalog) on conflict do nothing;  -- the catalog main may be new
    perform shop_private.watch_lock(new.catalog);
    if exists (select from shop.watch w where w.catalog = new.catalog and w.name = new.name) then
        raise exception using errcode = '22023', hint = 'Delete it with shop.unwatch, or choose another name.',
            message = format('catalog %L has a watch %L already', new.catalog, new.name);
    end if;
    if (select count(*) from shop.watch w where w.catalog = new.catalog) >= @max_watches@ then
        raise exception using errcode = '54000', hint = 'Delete watches that nobody needs any more, with shop.unwatch.',
            message = format('catalog %L has @max_watches@ watches', new.catalog);
    end if;
    insert into shop.watch (
        catalog, name, query, image, filter, min_similarity, condition, language, words, created_by)
    values (new.catalog, new.name, new.query, new.image, new.filter, new.min_similarity, condition, language, words,
        new.created_by)
    returning watch_id into new.watch_id;
    if vector is not null then
        insert into shop_private.watch_vector (watch_id, model_id, embedding, image_floor, title_floor)
        values (new.watch_id, m.model_id, vector, image_floor, title_floor);
    end if;
    return new;
end $$;

create or replace trigger step_2_store instead of insert on shop_private.new_watch
for each row execute function shop_private.watch_store();
