-- Creates a watch: a search whose new matches are reported. Returns the key of the watch.
--
--   select shop.watch('red-shoes', query => 'red shoes', filter => '{"price": {"lt": 80}}');
--
-- When a product becomes searchable, it is compared with the watches of its catalog, usually in the same transaction
-- (otherwise by watch_renew). A product matches if it passes the filter and one of three conditions holds:
--   - an image of the product is far more similar to the vector of the watch than most images are (see watch_floors);
--   - the title of the product is far more similar to this vector than most titles are;
--   - the product has every word of the text.
-- With min_similarity, one condition replaces the three: an image must have at least this cosine similarity. For a
-- watch without text and image, the filter alone decides. Each match is reported once: as a row of shop.watch_match, by
-- NOTIFY shop_watch (see watch_role_sees_all), and to webhooks.
create or replace function shop.watch(
    name text, query text default null, image bytea default null, filter jsonb default null,
    catalog text default 'main', min_similarity double precision default null
)
returns integer
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    id integer;
begin
    insert into shop_private.new_watch (name, query, image, filter, catalog, min_similarity)
    values (watch.name, watch.query, watch.image, watch.filter, watch.catalog, watch.min_similarity)
    returning new_watch.watch_id into id;
    return id;
end $$;
