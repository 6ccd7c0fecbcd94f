-- Returns a statement that counts the items of p_source, a table expression, for the model p_model. p_part says whether
-- the items are images or titles. The statement returns a row with the numbers of shop.model_coverage. The caller
-- passes the key of the model as $1 and p_part as $4; the statement does not use $2 and $3.
create or replace function shop_private.model_coverage_counts(
    p_model text, p_part shop_private.part, p_source text
)
returns text
language plpgsql immutable as $$
begin
    return format(
        'select count(*) as items, count(*) filter (where w.state is null and v.product_id is not null) as done,
            count(*) filter (where w.state = ''pending'' or w.state is null and v.product_id is null) as waiting,
            count(*) filter (where w.state = ''leased'') as leased,
            count(*) filter (where w.state = ''quarantined'') as quarantined
        from (select product_id, %1$s as position from %2$s) i
        left join (select product_id, %1$s as position from shop.%3$I) v using (product_id, position)
        left join (select product_id, position, state from shop_private.work
                   where model_id = $1 and part = $4) w using (product_id, position)',
        case p_part when 'image' then 'position' else '0::smallint' end, p_source, p_model || '_' || p_part);
end $$;
