-- Reports the progress of encoding, with a row for each model and part (image or title). Retired models have no rows.
-- `items` is the number of all images or all titles, and the sum of done, waiting, leased and quarantined. An item is
-- done when it has a vector and no work item. An item is waiting while its work item is pending. An item with neither a
-- vector nor a work item is waiting too, because the model is being added and its work items are not created yet.
create or replace function shop_private.model_coverage()
returns table (
    model text, status shop.model_status, part shop_private.part, items bigint, done bigint, waiting bigint,
    leased bigint, quarantined bigint
)
language plpgsql stable rows 10 security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    m shop.model;
    part shop_private.part;
begin
    for m in select * from shop.model where status <> 'retired' order by model_id loop
        foreach part in array array['image', 'title']::shop_private.part[] loop
            return query execute format(
                'select $1, $2, $3, count(*),
                    count(*) filter (where w.state is null and v.product_id is not null),
                    count(*) filter (where w.state = ''pending'' or w.state is null and v.product_id is null),
                    count(*) filter (where w.state = ''leased''), count(*) filter (where w.state = ''quarantined'')
                 from (select product_id, %1$s as position from shop.%2$I) i
                 left join (select product_id, %1$s as position from shop.%3$I) v using (product_id, position)
                 left join (select product_id, position, state from shop_private.work
                            where model_id = $4 and part = $3) w using (product_id, position)',
                case part when 'image' then 'position' else '0::smallint' end,
                case part when 'image' then 'product_image' else 'product' end, m.name || '_' || part)
            using m.name, m.status, part, m.model_id;
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
