-- Reads a signal for a search that is sorted by it. `contributions` has the value of each product, in the order of
-- p_product_ids, and null for a product without a value. If the signal cannot be read, `contributions` has no values
-- and `problem` says why. If p_name is null, nothing is read.
create or replace function shop_private.sort_signal(p_name text, p_product_ids uuid[])
returns shop_private.signal_part
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    part shop_private.signal_part;
begin
    if p_name is not null then
        select p.* into part from shop_private.signal_parts(p_product_ids, to_jsonb(p_name), null) p;
        part.name := p_name;
        if part.contributions is null then
            part.problem := coalesce(part.problem, 'it was not read');
        end if;
    end if;
    return part;
end $$;
