-- Reports the progress of encoding, with a row for each model and part (image or title). Retired models have no rows.
-- `items` is the number of all images or all titles; done, waiting, leased and quarantined add up to it. An item is
-- done when it has a vector and no work item. An item is waiting while its work item is pending. An item with neither a
-- vector nor a work item is waiting too, because the model is being added and its work items are not created yet.
--
-- If a part has more than @coverage_exact_rows@ items and p_exact is false, counts_are is 'about': the numbers are
-- estimated from a sample of about @coverage_sample_rows@ items. waiting, leased and quarantined are counted on the
-- work list (shop_private.work) instead, unless the list has more than @coverage_exact_rows@ items. If the sample has
-- more waiting items than the list, their number is estimated from the sample, because the list of a model that is
-- being added is incomplete. A role that does not see every product always gets exact numbers, of the items of the
-- products that it sees.
create or replace function shop_private.model_coverage(p_exact boolean default false)
returns table (
    model text, status shop.model_status, part shop_private.part, items bigint, done bigint, waiting bigint,
    leased bigint, quarantined bigint, counts_are text
)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    m shop.model;
    part shop_private.part;
    source text;
    total bigint;
    is_counted constant boolean := p_exact or not shop_private.sees_every_product();
    list_is_short constant boolean := shop_private.row_estimate('shop_private.work') <= @coverage_exact_rows@;
begin
    for m in select * from shop.model where status <> 'retired' order by model_id loop
        foreach part in array array['image', 'title']::shop_private.part[] loop
            source := case part when 'image' then 'shop.product_image' else 'shop.product' end;
            total := shop_private.row_estimate(source);
            if is_counted or total <= @coverage_exact_rows@ then
                return query execute format('select $2, $3, $4, c.*, ''exact'' from (%s) c',
                    shop_private.model_coverage_counts(m.name, part, source))
                using m.model_id, m.name, m.status, part;
            else
                return query execute format('with sampled as (%s),
                    listed as (
                        select count(*) filter (where w.state = ''pending'') as waiting,
                            count(*) filter (where w.state = ''leased'') as leased,
                            count(*) filter (where w.state = ''quarantined'') as quarantined
                        from shop_private.work w where $6 and w.model_id = $1 and w.part = $4),
                    estimate as (
                        select case when $6 and l.waiting >= s.waiting then l.waiting
                                else round(s.waiting * $5 / s.items) end as waiting,
                            case when $6 then l.leased else round(s.leased * $5 / s.items) end as leased,
                            case when $6 then l.quarantined else round(s.quarantined * $5 / s.items) end as quarantined
                        from sampled s, listed l)
                    select $2, $3, $4, $5::bigint, greatest(0, $5 - e.waiting - e.leased - e.quarantined)::bigint,
                        e.waiting::bigint, e.leased::bigint, e.quarantined::bigint, ''about'' from estimate e',
                    shop_private.model_coverage_counts(
                        m.name, part, shop_private.sample_of(source, total, @coverage_sample_rows@)))
                using m.model_id, m.name, m.status, part, total::numeric, list_is_short;
            end if;
        end loop;
    end loop;
end $$;

create or replace view shop.model_coverage as select * from shop_private.model_coverage();
comment on column shop.model_coverage.model is 'name of a model that is serving or building';
comment on column shop.model_coverage.status is 'building or serving';
comment on column shop.model_coverage.part is 'image or title';
comment on column shop.model_coverage.items is 'number of images or titles of all catalogs';
comment on column shop.model_coverage.done is 'items that have a vector of their present title or image';
comment on column shop.model_coverage.waiting is 'items that wait for an encoder';
comment on column shop.model_coverage.leased is 'items that an encoder works on';
comment on column shop.model_coverage.quarantined is 'items that could not be encoded';
comment on column shop.model_coverage.counts_are is
    'exact, or about: the numbers of a large site are estimates';
