-- Vectors for requests: into the cache, and off the queue. Arrays run in parallel: one element a request.
create or replace function shop_private.request_answer(p_ids bigint[], p_embeddings @vector@.halfvec[])
returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with answered as (
        delete from shop_private.request r
        using unnest(p_ids, p_embeddings) as a(id, embedding)
        where r.id = a.id
        returning r.model_id, r.key, r.kind, r.payload, a.embedding
    )
    insert into shop_private.query_embedding as e (model_id, key, query, embedding, asked, created_at)
    select model_id, key, min(case when kind = 't' then convert_from(payload, 'UTF8') end),
        (array_agg(embedding))[1], count(*), clock_timestamp()
    from answered group by model_id, key
    on conflict (model_id, key) do update set asked = e.asked + excluded.asked;
$$;
