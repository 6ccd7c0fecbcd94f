-- Makes the labelled vectors of some products agree with their vectors and their labels. A label is a value of a field,
-- such as the product type "bags"; the products with this value have an HNSW index of their own. The table of labelled
-- vectors, <model>_image_label or <model>_title_label (p_part: image or title), has a copy of each vector of
-- <model>_<part> for each label of the product. The caller has locked the products. The function does nothing if the
-- last labels of the model have just been dropped, with the table.
create or replace function shop_private.label_store(p_model_id smallint, p_part text, p_products uuid[])
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    vectors constant text :=
        (select m.name from shop.model m where m.model_id = p_model_id) || '_' || p_part;
    position constant text := case when p_part = 'image' then 'position, ' else '' end;
begin
    if to_regclass(format('shop.%I', vectors || '_label')) is null then
        return;
    end if;
    execute format(
        'with wanted as materialized (
            select p.product_id, l.label_id from shop.product p
            cross join lateral shop_private.label_values(p) f
            join shop.label_index l on l.model_id = $1 and l.field = f.field and l.value = f.value
            where p.product_id = any($2)
        ), dropped as (
            delete from shop.%1$I o where o.product_id = any($2)
                and not exists (select from wanted w where w.product_id = o.product_id and w.label_id = o.label_id)
        )
        insert into shop.%1$I as o (product_id, %3$slabel_id, embedding)
        select v.product_id, %4$sw.label_id, v.embedding from wanted w join shop.%2$I v on v.product_id = w.product_id
        on conflict (label_id, product_id%5$s) do update set embedding = excluded.embedding
        where o.embedding operator(@vector@.<>) excluded.embedding',
        vectors || '_label', vectors, position, replace(position, 'position', 'v.position'),
        case when p_part = 'image' then ', position' else '' end)
    using p_model_id, p_products;
end $$;
