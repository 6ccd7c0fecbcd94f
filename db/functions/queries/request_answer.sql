-- Stores the vectors of requests in the cache and deletes the requests. p_embeddings[n] is the vector of request
-- p_ids[n]. The function is written in plpgsql, because plpgsql keeps the plans of its statements, and every new query
-- waits for this function.
create or replace function shop_private.request_answer(p_ids bigint[], p_embeddings @vector@.halfvec[])
returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into shop_private.query_embedding as e (model_id, key, query, embedding, asked, created_at)
    select r.model_id, r.key, min(case when r.kind = 't' then convert_from(r.payload, 'UTF8') end),
        (array_agg(a.embedding))[1], count(*), clock_timestamp()
    from unnest(p_ids, p_embeddings) as a(id, embedding)
    join shop_private.request r on r.id = a.id
    group by r.model_id, r.key
    on conflict (model_id, key) do update set asked = e.asked + excluded.asked;
    delete from shop_private.request r where r.id = any (p_ids);
end $$;
