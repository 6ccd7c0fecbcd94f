-- Returns a statement that counts the products of p_source, a table expression with the alias p, for the model p_model.
-- The statement returns a row for each catalog, with the numbers of shop.coverage. $1 is the key of the model.
create or replace function shop_private.coverage_counts(p_model text, p_source text)
returns text
language plpgsql immutable as $$
begin
    return format('select c.catalog, count(*) as products, count(*) filter (where c.place = 1) as searchable,
            count(*) filter (where c.place = 4) as waiting, count(*) filter (where c.place = 2) as quarantined,
            count(*) filter (where c.place = 3) as without_picture,
            count(*) filter (where not c.has_image) as words_only
        from (
            select p.catalog, case
                when i.product_id is not null and t.product_id is not null then 1
                when exists (select from shop_private.work w where w.product_id = p.product_id
                             and w.model_id = $1 and w.position = 0 and w.state = ''quarantined'') then 2
                when not exists (select from shop.product_image f
                                 where f.product_id = p.product_id and f.position = 0) then 3
                else 4 end as place,
                exists (select from shop.%2$I v where v.product_id = p.product_id) as has_image
            from %1$s
            left join shop.%2$I i on i.product_id = p.product_id and i.position = 0
            left join shop.%3$I t on t.product_id = p.product_id) c
        group by c.catalog', p_source, p_model || '_image', p_model || '_title');
end $$;
