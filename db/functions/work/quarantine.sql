-- Lists the titles and images that could not be encoded, each with the reason.
create or replace view shop.quarantine with (security_invoker = true) as
select m.name as model, p.catalog, p.sku, w.part::text as part, w.position, i.uri, w.error
from shop_private.work w
join shop.model m on m.model_id = w.model_id
join shop.product p on p.product_id = w.product_id
left join shop.product_image i on w.part = 'image' and i.product_id = w.product_id and i.position = w.position
where w.state = 'quarantined'
order by p.catalog, p.sku, w.part, w.position;
comment on column shop.quarantine.model is 'the model that could not encode the item';
comment on column shop.quarantine.catalog is 'catalog of the product';
comment on column shop.quarantine.sku is 'sku of the product';
comment on column shop.quarantine.part is 'image or title';
comment on column shop.quarantine.position is 'position of the image; 0 for a title';
comment on column shop.quarantine.uri is 'path or address of the image; null for a title';
comment on column shop.quarantine.error is 'why the item could not be encoded';
