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
    given_filter constant jsonb := nullif(nullif(filter, 'null'), '{}');
    id integer;
begin
    if coalesce(name, '') !~ '^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$' then
        raise exception using errcode = '22023', message = format('%L cannot be the name of a watch', left(name, 120)),
            hint = 'Use at most 100 letters, digits, and _ . @ - and begin with a letter or a digit.';
    end if;
    if num_nonnulls(query, image, given_filter) = 0 then
        raise exception using errcode = '22023', message = 'nothing to watch for',
            hint = 'Give query (a text), image (the bytes of an image), filter, or several of them.';
    end if;
    if min_similarity not between -1 and 1 then  -- NaN sorts above every number
        raise exception using errcode = '22023', message = 'min_similarity is not between -1 and 1',
            hint = 'min_similarity is the lowest cosine similarity of the watch and an image.';
    end if;
    if min_similarity is not null and num_nonnulls(query, image) = 0 then
        raise exception using errcode = '22023', message = 'min_similarity needs a text or an image',
            hint = 'Without a text and an image, a watch has only its filter.';
    end if;
    if length(image) > @max_watch_image_bytes@ then
        raise exception using errcode = '22023', hint = 'Scale the image down; models look at 224 to 512 pixels.',
            message = format('the image of a watch is too large: %s bytes; at most @max_watch_image_bytes@ (1 MB) are '
                'allowed', length(image));
    end if;
    if octet_length(given_filter::text) > @max_watch_filter_bytes@ then
        raise exception using errcode = '54000', hint = 'Each new product is tested with the filters of all watches.',
            message = format('the filter of a watch is too long: %s bytes; at most @max_watch_filter_bytes@ (16 KB) '
                'are allowed', octet_length(given_filter::text));
    end if;
    if (shop_private.parse_query(query)).typed is not null then
        raise exception using errcode = '22023', hint = 'Give a plain text, and the conditions as filter.',
            message = 'the text of a watch cannot have operators: quotes, exclusions or fields';
    end if;
    perform shop_private.catalog_condition(catalog);  -- raises an error for an unknown catalog
    insert into shop_private.new_watch (name, query, image, filter, catalog, min_similarity)
    values (watch.name, watch.query, watch.image, given_filter, watch.catalog, watch.min_similarity)
    returning new_watch.watch_id into id;
    return id;
end $$;
