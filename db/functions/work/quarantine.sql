create or replace view shop.quarantine as select * from shop_private.work_quarantined();
comment on view shop.quarantine is 'Titles and images that could not be encoded, with the reason.';
