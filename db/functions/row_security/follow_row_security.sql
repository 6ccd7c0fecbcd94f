-- Enables row level security on the secured tables of row_security_rules. If a table is no longer secured, the function
-- drops Windowshop's policies on it, and disables row level security unless the site has policies on the table.
-- Windowshop sets no policy on a table that is not secured, because any policy makes searches slower. The function
-- changes only what differs from the rules.
--
-- The policy windowshop_follow is restrictive, so a policy of the site on the same table can only hide further rows.
-- The policy windowshop_pass is permissive and lets every row pass, because a table without a permissive policy has no
-- visible rows. A permissive policy of the site takes the place of windowshop_pass. The comment on windowshop_follow
-- stores the condition of the rule and the hash of the policy (see policy_print). From the comment, the function sees
-- whether the rule or the policy has changed. If one of them has changed, the function creates the policy again.
create or replace function shop_private.follow_row_security()
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    rule record;
    following text;  -- the comment on windowshop_follow, or null if the table has no such policy
    passing boolean;  -- whether the table has the policy windowshop_pass
    others boolean;  -- whether the site has policies on the table
    permissive boolean;  -- whether one of them is permissive
begin
    for rule in select r.* from shop_private.row_security_rules() r order by r.relation::text loop
        select max(coalesce(obj_description(p.oid, 'pg_policy'), '')) filter (where p.polname = 'windowshop_follow'),
            coalesce(bool_or(p.polname = 'windowshop_pass'), false),
            count(*) filter (where p.polname not in ('windowshop_follow', 'windowshop_pass')) > 0,
            coalesce(bool_or(p.polpermissive) filter (
                where p.polname not in ('windowshop_follow', 'windowshop_pass')), false)
        into following, passing, others, permissive from pg_policy p where p.polrelid = rule.relation;
        if rule.secured
            and following is distinct from concat_ws(E'\n', rule.condition, shop_private.policy_print(rule.relation))
        then
            if following is not null then
                execute format('drop policy windowshop_follow on %s', rule.relation);
            end if;
            execute format('create policy windowshop_follow on %s as restrictive using (%s) with check (%s)',
                rule.relation, rule.condition, case when rule.may_add then 'true' else rule.condition end);
            execute format('comment on policy windowshop_follow on %s is %L', rule.relation,
                concat_ws(E'\n', rule.condition, shop_private.policy_print(rule.relation)));
        elsif not rule.secured and following is not null then
            execute format('drop policy windowshop_follow on %s', rule.relation);
        end if;
        if passing and (not rule.secured or permissive) then
            execute format('drop policy windowshop_pass on %s', rule.relation);
        elsif not passing and rule.secured and not permissive then
            execute format('create policy windowshop_pass on %s using (true)', rule.relation);
        end if;
        if (rule.secured or following is not null and not others)
            and (select c.relrowsecurity <> rule.secured from pg_class c where c.oid = rule.relation)
        then
            execute format('alter table %s %s row level security', rule.relation,
                case when rule.secured then 'enable' else 'disable' end);
        end if;
    end loop;
end $$;

select shop_private.follow_row_security();
