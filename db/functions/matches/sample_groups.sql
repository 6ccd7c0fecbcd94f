-- Fills the temporary table match_posting with the products on which shop.calibrate_matching fits the thresholds and
-- measures F1. The label of a product names the group into which people have put the product, and a group is all
-- products with the same label. The table has about @match_sample_products@ products, or all products with a label if
-- there are fewer. A group is in the table with all its products or not at all. held_out is true for about half of the
-- groups. shop.calibrate_matching measures F1 on all groups, but fits the thresholds only on the groups that are not
-- held out. The table's column `same` is the number of products in the group. p_condition selects the products that
-- have a label. p_label is the SQL that reads the label. `groups` is the number of groups of two or more products, and
-- `postings` is the number of products in these groups.
create or replace function shop_private.sample_groups(
    p_condition text, p_label text, out postings bigint, out groups bigint
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    labelled bigint;
begin
    execute format('select count(*) from shop.product p where %s', p_condition) into labelled;
    execute format('create temporary table match_posting on commit drop as
        select p.product_id, %1$s as label, count(*) over (partition by %1$s) as same,
            hashtextextended(%1$s, 1) %% 2 = 0 as held_out
        from shop.product p where %2$s and abs(hashtextextended(%1$s, 0) %% 1000000) < %3$s',
        p_label, p_condition,
        1000000 * @match_sample_products@::bigint / greatest(@match_sample_products@, labelled));
    select count(*), count(distinct p.label) into postings, groups from pg_temp.match_posting p where p.same > 1;
end $$;
