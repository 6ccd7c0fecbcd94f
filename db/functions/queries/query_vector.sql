-- What clip_text and clip_image share: check the input, look into the cache, ask the gateway. The limits stand here,
-- before anything is queued. Nothing pins search_path here: the two definer functions that call this do, and each SET on
-- the way would cost a cached query a tenth of its time.
create or replace function shop_private.query_vector(p_model_id smallint, p_kind text, p_payload bytea)
returns @vector@.halfvec
language plpgsql volatile parallel restricted as $$
declare
    v @vector@.halfvec;
begin
    if p_model_id is null then
        raise exception using errcode = 'WS005', message = 'no model is serving',
            hint = 'Add one with "windowshop model add starter", then "windowshop model serve starter".';
    end if;
    v := shop_private.gateway_lookup(p_model_id, sha256(convert_to(p_kind, 'UTF8') || p_payload));
    -- A search writes nothing; who counts hits and misses hears them.
    if v is not null then
        raise debug 'query vector: cached';
    else
        raise debug 'query vector: to be encoded';
        v := shop_private.gateway_fetch(p_model_id, p_kind, p_payload);
    end if;
    return v;
end $$;

create or replace function shop_private.text_payload(p_query text)
returns bytea language plpgsql stable parallel safe as $$
begin
    if p_query !~ '\S' then
        raise exception using errcode = '22023', message = 'the query text is empty',
            hint = 'Describe what the product looks like, for example ''black leather backpack''.';
    end if;
    if length(p_query) > 10000 then
        raise exception using errcode = '22023', hint = 'A model reads about 60 words; shorten the text.',
            message = format('the query text is too long: %s characters, at most 10000', length(p_query));
    end if;
    return convert_to(p_query, 'UTF8');
end $$;

create or replace function shop_private.image_payload(p_image bytea)
returns bytea language plpgsql stable parallel safe as $$
begin
    if length(p_image) = 0 then
        raise exception using errcode = '22023', message = 'the picture is empty: 0 bytes';
    end if;
    if length(p_image) > @max_image_bytes@ then
        raise exception using errcode = '22023', hint = 'Scale the picture down; models look at 224 to 512 pixels.',
            message = format('the picture is too large: %s bytes, at most @max_image_bytes@ (10 MB)', length(p_image));
    end if;
    return p_image;
end $$;
