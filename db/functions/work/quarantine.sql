-- Lists the titles and images that could not be encoded, each with the reason.
create or replace view shop.quarantine as select * from shop_private.work_quarantined();
comment on column shop.quarantine.model is 'the model that could not encode the item';
comment on column shop.quarantine.catalog is 'catalog of the product';
comment on column shop.quarantine.sku is 'sku of the product';
comment on column shop.quarantine.part is 'image or title';
comment on column shop.quarantine.position is 'position of the image; 0 for a title';
comment on column shop.quarantine.uri is 'path or address of the image; null for a title';
comment on column shop.quarantine.error is 'why the item could not be encoded';
