-- Returns the vector of each label. The text that is encoded is the template, with the label in place of {}. Raises an
-- error if a label is empty or repeated, if there are not 2 to 1,000 labels, or if the template has no {}.
create or replace function shop_private.label_vectors(labels text[], template text)
returns @vector@.halfvec[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
begin
    if coalesce(array_ndims(labels), 0) <> 1 or cardinality(labels) not between 2 and 1000 then
        raise exception using errcode = '22023', hint = 'For example array[''bag'', ''shoe'', ''lamp''].',
            message = format('labels is %s, not a list of 2 to 1,000 texts', case when labels is null then 'null'
                when array_ndims(labels) > 1 then 'a list of lists'
                else format('a list of %s texts', cardinality(labels)) end);
    end if;
    if exists (select from unnest(labels) l where l is null or l !~ E'\\S') then
        raise exception using errcode = '22023', message = 'a label is empty';
    end if;
    if (select count(distinct lower(btrim(l))) from unnest(labels) l) < cardinality(labels) then
        raise exception using errcode = '22023', hint = 'Two equal labels would each get half of the confidence.',
            message = format('the label %L is repeated',
                (select min(l) from unnest(labels) l group by lower(btrim(l)) having count(*) > 1 limit 1));
    end if;
    if template not like '%{}%' then
        raise exception using errcode = '22023', hint = 'For example ''a photo of a {}''.',
            message = format('the template %L has no {} for the label', template);
    end if;
    return (select array_agg(shop.clip_text(replace(template, '{}', btrim(l.label))) order by l.n)
            from unnest(labels) with ordinality l(label, n));
end $$;
