-- Lists the fields for which a filter (see filter_condition) accepts only one value. This is the value of eq, a value
-- without an operator, or the only value of in. Fields below "and" count too; fields below "or" and "not" do not.
-- filter_condition has checked the filter.
create or replace function shop_private.implied_labels(p_filter jsonb)
returns table (field text, vals jsonb[])
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    test jsonb;
    operand jsonb;
begin
    for field, test in select * from jsonb_each(p_filter) loop
        if field = 'and' then
            return query select i.field, i.vals from jsonb_array_elements(test) g, shop_private.implied_labels(g) i;
            continue;
        end if;
        continue when field in ('or', 'not');
        foreach operand in array case jsonb_typeof(test) when 'object' then array[
                case when test ? 'eq' then jsonb_build_array(test -> 'eq') end, test -> 'in']
            when 'array' then array[test] else array[jsonb_build_array(test)] end
        loop
            vals := array(select distinct e from jsonb_array_elements(operand) e);
            if cardinality(vals) = 1
                and not exists (select from unnest(vals) v where jsonb_typeof(v) not in ('string', 'number', 'boolean'))
            then
                return next;
            end if;
        end loop;
    end loop;
end $$;
