-- Returns the tables that reveal something about products. `condition` says which rows of a table a role may read while
-- the table is `secured`. A table is secured while row level security is enabled on shop.product. The tables are of
-- three kinds:
--   (1) a row belongs to the product in its column product_id. The role must see the product. To read a match of a
--       watch, the role must also see the watch;
--   (2) a row belongs to a catalog. The role must see a product of the catalog. To read a rule, the role must also see
--       the product that the rule names. A synonym or signal without a catalog is visible to every role. A label
--       belongs to the products that have its value; a role that does not see every product sees only labels of the
--       fields product_type, brand and catalog;
--   (3) a row describes many products, or names products in texts and lists. The role must see every product. A role
--       also sees the watches that it has created itself.
-- A role that sees every product sees every row of all three kinds, except image vectors in the case below. A role may
-- add rows of the second and the third kind even if it cannot read these rows (`may_add`); rules are an exception. A
-- role may not add a rule or a row of the first kind that it could not read.
--
-- If the site has policies of its own on shop.product_image, a role must see the image to read the vector of the image.
-- The tables of image vectors are then also secured while row level security is enabled on shop.product_image alone.
--
-- OFFSET 0 keeps the planner from collecting all visible products in a hash table before a search compares a few rows.
create or replace function shop_private.row_security_rules()
returns table (relation regclass, condition text, may_add boolean, secured boolean)
language sql stable set search_path = pg_catalog, pg_temp set quote_all_identifiers = off as $$
    with state as (
        select p.relowner, p.relrowsecurity as products, (p.relrowsecurity or i.relrowsecurity) and exists (
            select from pg_policy o where o.polrelid = i.oid and o.polname not like E'windowshop\\_%') as images
        from pg_class p, pg_class i
        where p.oid = 'shop.product'::regclass and i.oid = 'shop.product_image'::regclass
    ), referring as (
        select c.oid, c.relname, s.images and c.relnamespace = 'shop'::regnamespace
                and c.oid <> 'shop.product_image'::regclass and exists (
                    select from pg_attribute a where a.attrelid = c.oid and a.attname = 'position') as of_images
        from state s
        join pg_class c on c.relowner = s.relowner and c.relkind = 'r' and c.oid <> 'shop.product'::regclass
            and c.relnamespace in ('shop'::regnamespace, 'shop_private'::regnamespace)
        where exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'product_id')
    ), rule as (
        select r.oid::regclass as relation, false as may_add, r.of_images, format(case when r.of_images
                then 'exists (select from shop.product_image i where i.product_id = %1$I.product_id '
                    'and i.position = %1$I.position offset 0)'
                else 'exists (select from shop.product p where p.product_id = %1$I.product_id offset 0)' end
            || case when r.oid = to_regclass('shop.watch_match')
                then ' and exists (select from shop.watch w where w.watch_id = %1$I.watch_id offset 0)' else '' end,
            r.relname) as visible
        from referring r
        union all
        select 'shop.catalog'::regclass, true, false, 
            'case when (select shop_private.visible_products()) = ''shop.product'' '
            'then exists (select from shop.product p where p.catalog = catalog.catalog offset 0) '
            'else shop_private.sees_catalog(catalog.catalog) end'
        union all
        select to_regclass(format('shop.%I', t)), true, false, format('%1$I.catalog is null
            or exists (select from shop.product p where p.catalog = %1$I.catalog offset 0)', t)
        from unnest('{synonym,signal}'::text[]) t
        union all
        select to_regclass('shop.label_index'), true, false,
            (select string_agg(format('label_index.field = %1$L and exists (select from shop.product p '
                'where p.%1$I = label_index.value #>> ''{}'' offset 0)', f), ' or ')
            from unnest('{product_type,brand,catalog}'::text[]) f)
        union all
        select to_regclass('shop.watch'), true, false, 'watch.created_by = current_user'
        union all
        select to_regclass('shop.rule'), false, false,
            'exists (select from shop.product p where p.catalog = rule.catalog '
            'and p.product_id = coalesce(rule.target_id, p.product_id) offset 0)'
        union all
        select to_regclass(t), true, false, null from unnest(array[
            'shop.calibration', 'shop.common_word', 'shop.tuning', 'shop.judgement', 'shop.evaluation',
            'shop.evaluation_query', 'shop.event', 'shop_private.fetch_host', 'shop.suggestion']) t
    )
    select r.relation, concat_ws(' or ',
            case when not r.of_images then '(select shop_private.sees_every_product())' end, r.visible),
        r.may_add, s.products or r.of_images
    from rule r, state s
    where r.relation is not null  -- an upgrade of an older schema may not have created a table yet
$$;
