-- Returns the tables that reveal something about products, each with the condition under which a role may read a row
-- of the table while row level security is enabled on shop.product. The tables are of three kinds:
--   (1) a row belongs to a product, by a foreign key. The role must see the product;
--   (2) a row belongs to a catalog. The role must see a product of the catalog;
--   (3) a row describes many products, or names products in texts and lists. The role must see every product.
-- A role that sees every product sees every row of all three kinds. A role may add rows of the second and the third
-- kind even if it cannot read these rows (`may_add`). It may not add a row of the first kind to a product that it does
-- not see.
--
-- OFFSET 0 keeps the planner from collecting all visible products in a hash table before a search compares a few rows.
create or replace function shop_private.row_security_rules()
returns table (relation regclass, condition text, may_add boolean)
language sql stable set search_path = pg_catalog, pg_temp as $$
    with rule as (
        select distinct f.conrelid as relation, false as may_add, format(
            ' or exists (select from shop.product p where p.product_id = %I.product_id offset 0)', c.relname) as visible
        from pg_constraint f
        join pg_class c on c.oid = f.conrelid
        join pg_class p on p.oid = 'shop.product'::regclass and p.relowner = c.relowner
        where f.contype = 'f' and f.confrelid in ('shop.product'::regclass, 'shop.product_image'::regclass)
            and c.relnamespace in ('shop'::regnamespace, 'shop_private'::regnamespace)
        union all
        select 'shop.catalog'::regclass, true,
            ' or exists (select from shop.product p where p.catalog = catalog.catalog)'
        union all
        select t::regclass, true, '' from unnest(array[
            'shop.calibration', 'shop.common_word', 'shop.tuning', 'shop.judgement', 'shop.evaluation',
            'shop.evaluation_query', 'shop.event', 'shop_private.fetch_host']) t
    )
    select r.relation, format('(select shop_private.sees_every_product())%s', r.visible), r.may_add from rule r
$$;
