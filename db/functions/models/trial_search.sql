-- A text or picture as a vector of any model that is kept current, whether or not it serves.
create or replace function shop_private.model_vector(p_model text, p_text text, p_picture bytea)
returns @vector@.halfvec
language plpgsql stable parallel restricted security definer cost 1000 set search_path = pg_catalog, pg_temp as $$
declare
    m constant smallint := (select model_id from shop.model where name = p_model);
begin
    return case
        when p_text is not null then shop_private.query_vector(m, 't', shop_private.text_payload(p_text))
        when p_picture is not null then shop_private.query_vector(m, 'i', shop_private.image_payload(p_picture)) end;
end $$;

-- What shop.search(route => 'exact') would find if p_model were serving: its legs, its fusion, and this model's own
-- tables. For judging a model before it serves. The views cannot be lent to it: to change what they show, even in a
-- transaction that is rolled back, holds up every search until that transaction ends.
--
-- Asked with a text, a picture (p_picture, or the first one of the product p_sku, which is then left out), or both.
create or replace function shop_private.trial_search(
    p_model text, p_text text, p_picture bytea, p_sku text, p_filter jsonb, p_k integer, p_catalog text,
    p_image_weight double precision, p_title_weight double precision, p_keyword_weight double precision, p_rrf_k integer
)
returns table (product_id uuid, sku text, image_distance double precision, title_distance double precision)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    images constant regclass := format('shop.%I', p_model || '_image');
    titles constant regclass := format('shop.%I', p_model || '_title');
    products constant bigint := shop_private.row_estimate(titles);
    legs constant integer := (p_image_weight > 0)::int + (p_title_weight > 0)::int
        + (p_text is not null and p_keyword_weight > 0)::int;
    depth constant integer := case when legs = 1 then p_k else least(1000, greatest(50, 3 * p_k)) end;
    condition text := shop_private.catalog_condition(p_catalog);
    asked constant @vector@.halfvec := shop_private.model_vector(p_model, p_text, null);
    picture @vector@.halfvec := shop_private.model_vector(p_model, null, p_picture);
    title @vector@.halfvec;
    by_image shop_private.leg;
    by_title shop_private.leg;
    by_keyword shop_private.leg;
begin
    if p_filter is not null then
        condition := format('%s and (%s)', condition, shop_private.filter_condition(p_filter));
    end if;
    if p_sku is not null then
        execute format('select i.embedding, t.embedding from %s i left join %s t on t.product_id = i.product_id
            where i.product_id = $1 and i.position = 0', images, titles)
        into picture, title using shop.product_id(p_sku, p_catalog);
        if picture is null then
            return;  -- not to have encoded it is a fault of the model's
        end if;
        condition := format('%s and p.product_id <> %L', condition, shop.product_id(p_sku, p_catalog));
    end if;
    if p_image_weight > 0 then
        by_image := shop_private.exact_leg('image', shop_private.direction(asked, picture), condition, null, depth,
            shop_private.row_estimate(images) / greatest(1.0, products), images);
    end if;
    if p_title_weight > 0 then
        by_title := shop_private.exact_leg('title', shop_private.direction(asked, coalesce(title, picture)), condition,
            null, depth, 1, titles);
    end if;
    if p_text is not null and p_keyword_weight > 0 then
        by_keyword := shop_private.keyword_leg(p_text, p_catalog, condition, null,
            by_image.product_ids || by_title.product_ids, depth, products);
    end if;
    return query
    select f.product_id, p.sku, f.image_distance, f.title_distance
    from shop_private.search_fuse(by_image, by_title, by_keyword, p_image_weight, p_title_weight, p_keyword_weight,
        p_rrf_k, null, null, null) f
    join shop.product p on p.product_id = f.product_id
    order by f.score desc, f.product_id limit p_k;
end $$;

-- Of two vectors, or the one there is.
create or replace function shop_private.direction(a @vector@.halfvec, b @vector@.halfvec)
returns @vector@.halfvec
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if a is null or b is null then
        return coalesce(a, b);
    end if;
    return @vector@.l2_normalize(
        @vector@.l2_normalize(a)::@vector@.vector operator(@vector@.+) @vector@.l2_normalize(b)::@vector@.vector)::@vector@.halfvec;
end $$;
