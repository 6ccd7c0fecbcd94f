-- Makes the changes of shop.what_if that concern products. `done` is false if another session holds one of the
-- products, and `held` is then this product. `done` is also false if another session has waited for a lock of this
-- session (see somebody_waits, which also explains p_own); `held` is then null. The function itself does not wait for a
-- product that another session holds. Otherwise sessions that wait for this session would wait longer. `changed` is the
-- number of rows that the function wrote.
create or replace function shop_private.change_products(
    p_changes jsonb, p_own xid[], out done boolean, out held uuid, out changed integer
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    change jsonb;
    ids uuid[];
    part uuid[];
    locked uuid[];
begin
    done := false;
    changed := 0;
    for change in select c -> 'products' from jsonb_array_elements(p_changes) c where c ? 'products' loop
        execute format('select array(select p.product_id from shop.product p where %s order by p.product_id)',
            shop_private.changed_condition(change)) into ids;
        for place in 1 .. cardinality(ids) by @what_if_step@ loop
            part := ids[place : place + @what_if_step@ - 1];
            locked := array(select p.product_id from shop.product p where p.product_id = any(part)
                for no key update skip locked);
            held := (select u.id from unnest(part) u(id) where u.id <> all(locked) limit 1);
            if held is not null then
                return;
            end if;
            update shop.product p
            set price = coalesce((change ->> 'price')::numeric,
                    round(p.price * (change ->> 'price_factor')::numeric, 2), p.price),
                availability = coalesce(change ->> 'availability', p.availability)
            where p.product_id = any(part);
            changed := changed + cardinality(part);
            if shop_private.somebody_waits(p_own) then
                return;
            end if;
        end loop;
    end loop;
    done := true;
end $$;
