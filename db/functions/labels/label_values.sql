-- Lists those values of a product that can be labels. A label is a frequent value of a field; the products with this
-- value have HNSW indexes of their own. The list has the values of six columns, the top of product_type, and the
-- attributes at the top level that are texts, numbers or booleans. A filter for the value of a field, such as {"brand":
-- "acme"}, passes exactly the products whose list has this field and this value. The field top:product_type has the
-- part before the first ">" in lower case (see label_top): "apparel" for "Apparel > Shoes". The function has no SET
-- clause, so that the planner can inline it.
create or replace function shop_private.label_values(p shop.product)
returns table (field text, value jsonb)
language sql stable parallel safe as $$
    select c.field, to_jsonb(c.value)
    from (values ('product_type', p.product_type), ('top:product_type', shop_private.label_top(p.product_type)),
        ('brand', p.brand), ('catalog', p.catalog), ('color', p.color), ('size', p.size), ('material', p.material))
        c(field, value)
    where c.value is not null
    union all
    select 'attributes.' || replace(a.key, '.', E'\\.'), a.value
    from jsonb_each(p.attributes) a where jsonb_typeof(a.value) in ('string', 'number', 'boolean')
$$;
