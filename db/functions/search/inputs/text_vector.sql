-- Returns the vector of a text. With variants of the text, the result is the mean of the unit vectors of the text and
-- its first @synonym_variants@ variants, scaled to length 1. Variants longer than @max_text_length@ characters are left
-- out. All variants that are not in the cache are requested before the function waits for an encoder. If the text
-- itself is in the cache, the function waits for no variant: missing variants are left out, and requested for later
-- searches. Otherwise, if a variant cannot be encoded, this variant and all variants after it are left out. Like
-- shop.clip_text, the function reads the serving model and the cache with the rights of its owner.
create or replace function shop_private.text_vector(p_text text, p_variants text[])
returns @vector@.halfvec
language plpgsql stable parallel restricted security definer cost 1000
set search_path = pg_catalog, pg_temp as $$
declare
    model smallint;
    variants bytea[];
    missing bytea[];
    payload bytea;
    total @vector@.vector;
begin
    if p_variants is null then
        return shop.clip_text(p_text);
    end if;
    perform from shop.searchable limit 0;
    model := (shop_private.model_of_views()).model_id;
    variants := array(
        select shop_private.text_payload(v.text)
        from (select v from unnest(p_variants) v limit @synonym_variants@) v(text)
        where length(v.text) <= @max_text_length@);
    missing := array(select v from unnest(variants) v
        where shop_private.gateway_lookup(model, sha256(convert_to('t', 'UTF8') || v)) is null);
    if missing <> '{}' then
        begin
            perform shop_private.gateway_request(model, missing);
        exception when sqlstate 'WS004' then
            null;  -- query_vector raises the error, unless the vector of the text is cached
        end;
    end if;
    payload := shop_private.text_payload(p_text);
    if shop_private.gateway_lookup(model, sha256(convert_to('t', 'UTF8') || payload)) is not null then
        variants := array(select v from unnest(variants) with ordinality u(v, n) where v <> all(missing) order by n);
    end if;
    total := @vector@.l2_normalize(shop_private.query_vector(model, 't', payload));
    begin
        foreach payload in array variants loop
            total := total operator(@vector@.+)
                @vector@.l2_normalize(shop_private.query_vector(model, 't', payload))::@vector@.vector;
        end loop;
    exception when sqlstate 'WS001' or sqlstate 'WS002' or sqlstate 'WS003' or sqlstate 'WS004' then
        null;  -- the text is encoded, and its variants are only an addition
    end;
    return @vector@.l2_normalize(total)::@vector@.halfvec;
end $$;
