-- Returns the vectors and the words that a request searches for (see query_vectors). If the query cannot be encoded at
-- present, has a text, and the request accepts a search by keywords alone, the vectors are null and `degraded` is the
-- reason. In all other cases, `degraded` is null. The function needs no SET clause, because it runs under the
-- search_path of its callers.
create or replace function shop_private.search_inputs(
    p_request shop_private.search_request,
    out image_vector @vector@.halfvec, out title_vector @vector@.halfvec, out words text, out named uuid[],
    out image_starts @vector@.halfvec[], out title_starts @vector@.halfvec[], out degraded text
)
language plpgsql stable as $$
begin
    if not shop_private.needs_vectors(p_request) then
        words := p_request.query;  -- only keywords are searched, so nothing is encoded
    elsif p_request.degrade and p_request.query is not null then
        begin
            select q.* into image_vector, title_vector, words, named, image_starts, title_starts
            from shop_private.query_vectors(p_request) q;
        exception when sqlstate 'WS001' or sqlstate 'WS002' or sqlstate 'WS004' then
            degraded := sqlerrm;
            words := p_request.query;
        end;
    else
        select q.* into image_vector, title_vector, words, named, image_starts, title_starts
        from shop_private.query_vectors(p_request) q;
    end if;
end $$;
