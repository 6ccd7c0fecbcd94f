-- Checks a new watch (see new_watch), and notes in it who creates the watch, and whether this role sees a product of
-- the catalog. The function must run with the rights of the caller.
create or replace function shop_private.watch_caller() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.filter := nullif(nullif(new.filter, 'null'), '{}');
    if coalesce(new.name, '') !~ '^[A-Za-z0-9][A-Za-z0-9_.@-]{0,99}$' then
        raise exception using errcode = '22023',
            message = format('%L cannot be the name of a watch', left(new.name, 120)),
            hint = 'Use at most 100 letters, digits, and _ . @ - and begin with a letter or a digit.';
    end if;
    if num_nonnulls(new.query, new.image, new.filter) = 0 then
        raise exception using errcode = '22023', message = 'nothing to watch for',
            hint = 'Give query (a text), image (the bytes of an image), filter, or several of them.';
    end if;
    if new.min_similarity not between -1 and 1 then  -- NaN sorts above every number
        raise exception using errcode = '22023', message = 'min_similarity is not between -1 and 1',
            hint = 'min_similarity is the lowest cosine similarity of the watch and an image.';
    end if;
    if new.min_similarity is not null and num_nonnulls(new.query, new.image) = 0 then
        raise exception using errcode = '22023', message = 'min_similarity needs a text or an image',
            hint = 'Without a text and an image, a watch has only its filter.';
    end if;
    if length(new.image) > @max_watch_image_bytes@ then
        raise exception using errcode = '22023', hint = 'Scale the image down; models look at 224 to 512 pixels.',
            message = format('the image of a watch is too large: %s bytes; at most @max_watch_image_bytes@ (1 MB) are '
                'allowed', length(new.image));
    end if;
    if octet_length(new.filter::text) > @max_watch_filter_bytes@ then
        raise exception using errcode = '54000', hint = 'Each new product is tested with the filters of all watches.',
            message = format('the filter of a watch is too long: %s bytes; at most @max_watch_filter_bytes@ (16 KB) '
                'are allowed', octet_length(new.filter::text));
    end if;
    if (shop_private.parse_query(new.query)).typed is not null then
        raise exception using errcode = '22023', hint = 'Give a plain text, and the conditions as filter.',
            message = 'the text of a watch cannot have operators: quotes, exclusions or fields';
    end if;
    perform shop_private.catalog_condition(new.catalog);  -- raises an error for an unknown catalog
    new.created_by := current_user;
    new.seen := shop_private.sees_every_product() or shop_private.sees_catalog(new.catalog);
    return new;
end $$;

create or replace trigger step_1_caller instead of insert on shop_private.new_watch
for each row execute function shop_private.watch_caller();
