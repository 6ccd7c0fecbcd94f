-- Returns the condition on p (shop.product) that a scan of the vectors in p_table must test so that it finds only
-- products that meet p_condition. The result is null if the scan need not look up any product, because every vector
-- that the caller sees belongs to a product that meets the condition. For this, p_condition must be 'true', and one of
-- two statements must hold:
--   (1) the caller is not subject to row level security;
--   (2) every vector that the caller sees belongs to a product that it sees. This is certain only while the policy
--       windowshop_follow (see follow_row_security) applies to p_table, every role and every command, and reads
--       shop.product.
-- The function needs no SET clause, because it runs under the search_path of vector_leg.
create or replace function shop_private.scan_condition(p_condition text, p_table regclass)
returns text
language plpgsql stable parallel safe as $$
begin
    return case when p_condition <> 'true' or row_security_active('shop.product'::regclass)
        and not (row_security_active(p_table) and exists (
            select from pg_policy o
            where o.polrelid = p_table and o.polname = 'windowshop_follow' and not o.polpermissive
                and o.polroles = '{0}' and o.polcmd = '*'
                and strpos(o.polqual::text, format(':relid %s ', 'shop.product'::regclass::oid)) > 0))
        then p_condition end;
end $$;
