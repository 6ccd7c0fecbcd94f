-- Stores a watch for shop.watch and returns its key. The serving model encodes the text and the image now. watch_renew
-- has other models encode them later.
--
-- The function reads every product, because row level security does not limit it. If row level security limits the role
-- of the session, the caller passes the key of a product that it sees in the catalog (p_seen). Without such a product,
-- the catalog seems not to exist, and the catalog main seems to have no products.
create or replace function shop_private.watch_store(
    p_name text, p_query text, p_image bytea, p_filter jsonb, p_catalog text, p_min_similarity double precision,
    p_seen uuid
)
returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    condition constant text := shop_private.filter_condition(p_filter);
    language constant text := shop_private.text_language(nullif(current_setting('shop.language', true), ''));
    seen constant boolean := shop_private.session_sees_every_product() or exists (
        select from shop.product p where p.product_id = p_seen and p.catalog = p_catalog);
    words tsquery;
    m record;
    vector @vector@.halfvec;
    image_floor double precision := p_min_similarity;
    title_floor double precision;
    id integer;
begin
    if not seen and p_catalog is distinct from 'main' then
        raise exception using errcode = '42704', message = format('there is no catalog %L', p_catalog);
    end if;
    words := shop_private.watch_words(p_query, shop_private.keyword_language(p_catalog), p_min_similarity);
    if num_nonnulls(p_query, p_image) > 0 then
        m := shop_private.serving();
        vector := shop_private.watch_mean(
            case when p_query is not null
                then shop_private.query_vector(m.model_id, 't', shop_private.text_payload(p_query)) end,
            case when p_image is not null
                then shop_private.query_vector(m.model_id, 'i', shop_private.image_payload(p_image)) end);
        if p_min_similarity is null and seen then
            select f.image_floor, f.title_floor into image_floor, title_floor
            from shop_private.watch_floors(m.model, p_catalog, vector) f;
        end if;
        if num_nonnulls(image_floor, title_floor) = 0 then
            raise exception using errcode = '22023', message = format(
                    'catalog %L has fewer than @cut_least_vectors@ encoded products, so no similarity is known to be '
                    'high', p_catalog),
                hint = 'Give min_similarity, or create the watch when more products are encoded.';
        end if;
    end if;
    insert into shop.catalog (catalog) values (p_catalog) on conflict do nothing;  -- the catalog main may be new
    perform shop_private.watch_lock(p_catalog);
    if exists (select from shop.watch w where w.catalog = p_catalog and w.name = p_name) then
        raise exception using errcode = '22023', hint = 'Delete it with shop.unwatch, or choose another name.',
            message = format('catalog %L has a watch %L already', p_catalog, p_name);
    end if;
    if (select count(*) from shop.watch w where w.catalog = p_catalog) >= @max_watches@ then
        raise exception using errcode = '54000', message = format('catalog %L has @max_watches@ watches', p_catalog),
            hint = 'Delete watches that nobody needs any more, with shop.unwatch.';
    end if;
    insert into shop.watch (
        catalog, name, query, image, filter, min_similarity, condition, language, words, created_by)
    values (p_catalog, p_name, p_query, p_image, p_filter, p_min_similarity, condition, language, words,
        coalesce(nullif(current_setting('role'), 'none'), session_user))
    returning watch_id into id;
    if vector is not null then
        insert into shop_private.watch_vector (watch_id, model_id, embedding, image_floor, title_floor)
        values (id, m.model_id, vector, image_floor, title_floor);
    end if;
    return id;
end $$;
