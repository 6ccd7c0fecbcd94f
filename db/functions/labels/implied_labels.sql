-- Lists the fields for which a filter (see filter_condition) accepts only a few values, and these values. If the values
-- are labels, they have HNSW indexes of their own, which a search can read (see search_labels). A filter accepts only
-- some values of a field if it tests the field with eq or in, or with a value or a list without an operator. Fields
-- below "and" count too; fields below "or" and "not" do not. For product_type, such values also restrict the field
-- top:product_type, to the tops of their paths (see label_top). A text with a ">" after the operator prefix does the
-- same. A field is left out if its list would have more than @label_union@ values. The caller has had the filter
-- checked by filter_condition.
create or replace function shop_private.implied_labels(p_filter jsonb)
returns table (field text, vals jsonb[])
language plpgsql stable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    name text;
    test jsonb;
    operand jsonb;
begin
    for name, test in select * from jsonb_each(p_filter) loop
        if name = 'and' then
            return query select i.field, i.vals from jsonb_array_elements(test) g, shop_private.implied_labels(g) i;
            continue;
        end if;
        continue when name in ('or', 'not');
        foreach operand in array case jsonb_typeof(test) when 'object' then array[
                case when test ? 'eq' then jsonb_build_array(test -> 'eq') end, test -> 'in']
            when 'array' then array[test] else array[jsonb_build_array(test)] end
        loop
            field := name;
            vals := array(select distinct e from jsonb_array_elements(operand) e);
            continue when cardinality(vals) = 0
                or exists (select from unnest(vals) v where jsonb_typeof(v) not in ('string', 'number', 'boolean'));
            if cardinality(vals) <= @label_union@ then
                return next;
            end if;
            if name = 'product_type' then
                field := 'top:product_type';
                vals := array(select distinct to_jsonb(shop_private.label_top(v #>> '{}')) from unnest(vals) v);
                if cardinality(vals) <= @label_union@ and array_position(vals, null) is null then
                    return next;
                end if;
            end if;
        end loop;
        if name = 'product_type' and jsonb_typeof(test) = 'object' and strpos(test ->> 'prefix', '>') > 0 then
            field := 'top:product_type';
            vals := array[to_jsonb(shop_private.label_top(test ->> 'prefix'))];
            if vals[1] is not null then
                return next;
            end if;
        end if;
    end loop;
end $$;
