-- Returns, as SQL, a source of the products that the caller sees: the table shop.product or a subquery of it. The
-- condition of a policy can have a subquery in EXISTS or IN, for example on a price list. PostgreSQL tests this
-- condition for each product. The subquery of this function repeats the condition of the policy as an ordinary
-- condition, so that PostgreSQL can begin with the rows of the price list. The policy still applies, so the source
-- never has a product that the caller must not see.
--
-- The condition of a permissive policy is repeated only if no other permissive policy applies to the caller. A
-- condition is not repeated if it names an object of a schema that the caller may not use. Constants are written in
-- formats that every session reads in the same way.
create or replace function shop_private.visible_products()
returns text
language plpgsql stable parallel safe
set search_path = pg_catalog, pg_temp
set datestyle = 'ISO, YMD'
set intervalstyle = iso_8601
set extra_float_digits = 1
as $$
declare
    passes text;
begin
    if row_security_active('shop.product'::regclass) then
        select string_agg(format('(%s)', q.condition), ' and ') into passes
        from (
            select o.oid, o.polpermissive,
                case when o.polqual::text ~ '{SUBLINK ' then pg_get_expr(o.polqual, o.polrelid) end as condition,
                count(*) filter (where o.polpermissive) over () as permissive
            from pg_policy o
            where o.polrelid = 'shop.product'::regclass and o.polcmd in ('r', '*')
                and exists (select from unnest(o.polroles) r
                    where case when r = 0 then true else pg_has_role(r, 'usage') end)
        ) q
        where q.condition ~ E'\\m(EXISTS|IN) \\( SELECT\\M' and (not q.polpermissive or q.permissive = 1)
            and not exists (
                select from pg_depend d where d.classid = 'pg_policy'::regclass and d.objid = q.oid
                    and not has_schema_privilege(
                        (parse_ident((pg_identify_object(d.refclassid, d.refobjid, 0)).schema))[1], 'usage'));
    end if;
    return case when passes is null then 'shop.product'
        else format('(select product.* from shop.product where %s)', passes) end;
end $$;
