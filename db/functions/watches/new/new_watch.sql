-- Takes the watches that shop.watch inserts. The view has no rows; two triggers do the work, in the order of their
-- names. The function watch_caller runs with the rights of the caller and notes in the new watch who creates it, and
-- whether this role sees a product of the catalog. The function watch_store relies on this note. So a caller cannot
-- claim to see a catalog, even if it inserts into the view directly.
create or replace view shop_private.new_watch as
select null::text as name, null::text as query, null::bytea as image, null::jsonb as filter, null::text as catalog,
    null::double precision as min_similarity, null::text as created_by, null::boolean as seen, null::integer as watch_id
where false;
