-- Takes the calls of work_retry as rows. The view has no rows; two triggers do the work, in the order of their names.
-- The function retry_caller runs with the rights of the caller. It notes in the row the products that the caller sees,
-- or null if the items of all products are tried again: for the encoder, and for a caller who sees every product. The
-- function retry_items relies on this note. So a caller retries only items of products that it sees.
create or replace view shop_private.work_retries as
select null::smallint as model_id, null::text as catalog, null::text as host, null::text as sku,
    null::uuid[] as products, null::bigint as items
where false;
