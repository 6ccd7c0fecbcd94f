-- Returns the vector of a text. The serving model computes the vector. The serving model stays the same until the
-- transaction ends (see serving.sql). A caller that keeps the vector in a variable therefore compares it only with
-- vectors of the same model.
create or replace function shop.clip_text(query text) returns @vector@.halfvec
language plpgsql stable strict parallel restricted security definer cost 1000
set search_path = pg_catalog, pg_temp as $$
begin
    perform from shop.searchable limit 0;
    return shop_private.query_vector(
        (shop_private.model_of_views()).model_id, 't', shop_private.text_payload(query));
end $$;
