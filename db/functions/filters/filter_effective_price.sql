-- Returns the SQL condition of one operator of the field effective_price. p_operator is one of the operators that
-- filter_column lists. p_place is the path of the operator in the filter; error messages show this path.
--
-- The first part of the condition uses the indexes on price and sale_price. Because the first part tests the price and
-- the sale price, it also selects products whose effective price does not fit; the second part excludes these. The
-- second part is true for every product without a sale price. So for most products, no times are compared, and the
-- planner's estimate stays right.
create or replace function shop_private.filter_effective_price(p_operator text, p_operand jsonb, p_place text)
returns text language plpgsql stable parallel safe as $$
declare
    of_price constant text := shop_private.filter_column('price', 'number', p_operator, p_operand, p_place);
    -- A condition on sale_price must not accept null, because it would then be true for every product without a sale
    -- price.
    of_sale_price constant text := case
        when p_operator = 'exists' or p_operand @> 'null' then 'p.sale_price is not null'
        else shop_private.filter_column('sale_price', 'number', p_operator, p_operand, p_place) end;
begin
    return format('((%s or %s) and (p.sale_price is null or %s))', of_price, of_sale_price,
        shop_private.filter_column('effective_price', 'number', p_operator, p_operand, p_place));
end $$;
