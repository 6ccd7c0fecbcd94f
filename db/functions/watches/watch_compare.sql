-- Compares searchable products of a catalog with its watches. Stores each new match, sends its notification, and notes
-- the match for webhooks. p_noted[n] is the time at which p_products[n] was noted; watches that were created later do
-- not match this product. If a filter raises an error, the watch of this filter is disabled, and the function
-- continues.
--
-- The watches with a match or an error are locked in the order of watch_id until the transaction ends. So the matches
-- of a watch are committed in the order of match_id, and a reader that remembers its last match_id misses none.
create or replace function shop_private.watch_compare(
    p_model shop.model, p_catalog text, p_products uuid[], p_noted timestamptz[]
)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    near record;
    alone integer[];  -- the watches that have only a filter
    passing jsonb;
    failing jsonb := '{}';
    fresh record;
begin
    select array_agg(n.watch_id) as watches, array_agg(n.product_id) as products,
        array_agg(n.image_similarity) as by_image, array_agg(n.title_similarity) as by_title
    into near from shop_private.watch_near(p_model, p_catalog, p_products) n;
    alone := array(select w.watch_id from shop.watch w
        where w.catalog = p_catalog and w.disabled_at is null and num_nonnulls(w.query, w.image) = 0);
    begin
        select jsonb_agg(jsonb_build_array(p.watch_id, p.product_id)) into passing
        from shop_private.watch_passing(near.watches, near.products, alone, p_products) p;
    exception when others then
        if left(sqlstate, 2) in ('40', '53', '55', '57', '58', 'XX') then
            raise;  -- the server is at fault, not a filter
        end if;
        select o.passing, o.failing into passing, failing
        from shop_private.watch_one_by_one(near.watches, near.products, alone, p_products) o;
    end;
    if passing is null and failing = '{}' then
        return;
    end if;
    perform from shop.watch w
    where w.watch_id in (select (p ->> 0)::integer from jsonb_array_elements(passing) p
                         union all select f::integer from jsonb_object_keys(failing) f)
    order by w.watch_id for no key update;
    perform shop_private.watch_disable(f.key::integer, 'the filter fails: ' || f.value) from jsonb_each_text(failing) f;
    with added as (
        insert into shop.watch_match (watch_id, product_id, image_similarity, title_similarity)
        select w.watch_id, p.product_id, n.by_image, n.by_title
        from (select (p ->> 0)::integer as watch_id, (p ->> 1)::uuid as product_id
              from jsonb_array_elements(passing) p) p
        join unnest(p_products, p_noted) t(product_id, noted_at) using (product_id)
        join shop.watch w on w.watch_id = p.watch_id and w.created_at <= t.noted_at
        left join unnest(near.watches, near.products, near.by_image, near.by_title)
            n(watch_id, product_id, by_image, by_title) on n.watch_id = p.watch_id and n.product_id = p.product_id
        order by w.watch_id, p.product_id
        on conflict (product_id, watch_id) do nothing
        returning product_id, watch_id
    )
    select array_agg(a.watch_id) as watches, array_agg(a.product_id) as products into fresh from added a;
    insert into shop_private.watch_count as c (watch_id, matches)
    select f.watch_id, count(*) from unnest(fresh.watches) f(watch_id) group by 1
    on conflict (watch_id) do update set matches = c.matches + excluded.matches;
    perform pg_notify('shop_watch', w.watch_id::text)
    from shop.watch w
    where w.watch_id = any (fresh.watches) and shop_private.watch_role_sees_all(w.created_by);
    insert into shop_private.watch_report (product_id, watch_id, webhook_id)
    select f.product_id, f.watch_id, h.webhook_id
    from unnest(fresh.products, fresh.watches) f(product_id, watch_id)
    join shop_private.webhook h on h.disabled_at is null and 'matched' = any (h.kinds)
    where h.catalogs is null or p_catalog = any (h.catalogs);
end $$;
