-- Returns the SQL of the source from which a view reads the vectors of model p_model; p_part is image or title. The
-- source is the table of the model, or a subquery without rows if p_model is null.
create or replace function shop_private.vectors_of(p_model text, p_part text)
returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
begin
    if p_model is null then
        return '(select null::uuid as product_id, 0::smallint as position, null::@vector@.halfvec as embedding '
            'where false)';
    end if;
    return format('shop.%I', p_model || '_' || p_part);
end $$;
