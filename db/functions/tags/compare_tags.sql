-- Compares products with every label of p_labels, and stores the similarities in pg_temp.tag_similarity. The products
-- are those of pg_temp.tagged_product whose tag is one of p_labels. The column `below` is the similarity of the product
-- to the label, minus the similarity of the product to its most similar label. `below` is therefore at most 0.
create or replace function shop_private.compare_tags(p_labels text[], p_template text)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    vectors constant @vector@.halfvec[] := shop_private.label_vectors(p_labels, p_template);
begin
    create temporary table tag_similarity on commit drop as
    select t.product_id, t.held_out, lower(l.label) = lower(t.tag) as is_true, s.similarity,
        s.similarity - max(s.similarity) over (partition by t.product_id) as below
    from pg_temp.tagged_product t cross join unnest(p_labels, vectors) l(label, v)
    cross join lateral (select 1 - (t.embedding operator(@vector@.<=>) l.v) as similarity) s
    where lower(t.tag) in (select lower(n) from unnest(p_labels) n);
end $$;
