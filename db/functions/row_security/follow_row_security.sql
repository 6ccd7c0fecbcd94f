-- Enables row level security on the tables of row_security_rules if it is enabled on shop.product, and disables it
-- otherwise. Without row level security on shop.product, these tables therefore have no policy, because any policy
-- makes searches slower. The function leaves unchanged what is already right.
--
-- The policy windowshop_follow is restrictive, so a policy of the site on the same table can only hide further rows.
-- The policy windowshop_pass is permissive and lets every row pass, because a table without a permissive policy has no
-- visible rows. A permissive policy of the site takes its place.
create or replace function shop_private.follow_row_security()
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    secured constant boolean := (select c.relrowsecurity from pg_class c where c.oid = 'shop.product'::regclass);
    rule record;
    own text[];  -- our policies on the table
    others boolean;  -- whether the site has policies on the table
    permissive boolean;  -- whether one of them is permissive
begin
    for rule in select r.*, c.relrowsecurity as enabled from shop_private.row_security_rules() r
        join pg_class c on c.oid = r.relation order by r.relation::text
    loop
        select coalesce(
                array_agg(p.polname) filter (where p.polname in ('windowshop_follow', 'windowshop_pass')), '{}'),
            count(*) filter (where p.polname not in ('windowshop_follow', 'windowshop_pass')) > 0,
            coalesce(bool_or(p.polpermissive) filter (where p.polname <> 'windowshop_pass'), false)
        into own, others, permissive from pg_policy p where p.polrelid = rule.relation;
        if secured then
            if 'windowshop_follow' <> all(own) then
                execute format('create policy windowshop_follow on %s as restrictive using (%s) with check (%s)',
                    rule.relation, rule.condition, case when rule.may_add then 'true' else rule.condition end);
            end if;
            if not permissive and 'windowshop_pass' <> all(own) then
                execute format('create policy windowshop_pass on %s using (true)', rule.relation);
            elsif permissive and 'windowshop_pass' = any(own) then
                execute format('drop policy windowshop_pass on %s', rule.relation);
            end if;
            if not rule.enabled then
                execute format('alter table %s enable row level security', rule.relation);
            end if;
        elsif own <> '{}' then
            execute format('drop policy if exists windowshop_follow on %s', rule.relation);
            execute format('drop policy if exists windowshop_pass on %s', rule.relation);
            if rule.enabled and not others then
                execute format('alter table %s disable row level security', rule.relation);
            end if;
        end if;
    end loop;
end $$;

select shop_private.follow_row_security();
