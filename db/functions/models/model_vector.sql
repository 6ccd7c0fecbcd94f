-- Returns the vector that the model p_model computes for a text (p_text) or an image (p_image). The model need not be
-- serving, but the caller ensures that it is not retired. The caller gives at most one of p_text and p_image; if both
-- are null, the result is null.
create or replace function shop_private.model_vector(p_model text, p_text text, p_image bytea)
returns @vector@.halfvec
language plpgsql stable parallel restricted security definer cost 1000 set search_path = pg_catalog, pg_temp as $$
declare
    id constant smallint := (select model_id from shop.model where name = p_model);
begin
    return case
        when p_text is not null then shop_private.query_vector(id, 't', shop_private.text_payload(p_text))
        when p_image is not null then shop_private.query_vector(id, 'i', shop_private.image_payload(p_image)) end;
end $$;
