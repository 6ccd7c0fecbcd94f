-- Stores vectors and deletes their work items, in one transaction. The function skips items whose lease p_worker has
-- lost in the meantime, and all items of a retired model. Returns the number of stored vectors. The arrays are
-- parallel: one element for each item. If the model serves, the products are noted for webhooks, and those that are
-- searchable with these vectors are compared with the watches. If the model has labels, the function first locks the
-- products, in the order in which a load locks them, because their labels must not change at the same time.
create or replace function shop_private.work_complete(
    p_worker uuid, p_model_id smallint, p_part shop_private.part,
    p_products uuid[], p_positions smallint[], p_sources bytea[], p_embeddings @vector@.halfvec[]
) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    stored integer;
    model constant text := (select m.name from shop.model m where m.model_id = p_model_id and m.status <> 'retired');
begin
    if model is null then
        return 0;
    end if;
    if exists (select from shop.label_index l where l.model_id = p_model_id) then
        perform from shop.product p where p.product_id = any(p_products) order by p.product_id for share;
    end if;
    execute format(
        'with locked as materialized (  -- locks the items in the same order as a load
             select w.ctid
             from shop_private.work w join unnest($4, $5) as i(product_id, position) using (product_id, position)
             where w.model_id = $2 and w.part = $3 and w.state = ''leased'' and w.worker_id = $1
             order by w.product_id, w.position for update of w
         ), removed as (
             delete from shop_private.work w using locked
             where w.ctid = locked.ctid
             returning w.product_id, w.position
         )
         insert into shop.%1$I as v (product_id, %2$s source, embedding, encoded_at)
         select product_id, %2$s source, embedding, statement_timestamp()
         from unnest($4, $5, $6, $7) as i(product_id, position, source, embedding)
         join removed using (product_id, position)
         on conflict (product_id %3$s) do update
         set source = excluded.source, embedding = excluded.embedding, encoded_at = excluded.encoded_at',
        model || '_' || p_part,
        case when p_part = 'image' then 'position,' else '' end,
        case when p_part = 'image' then ', position' else '' end)
    using p_worker, p_model_id, p_part, p_products, p_positions, p_sources, p_embeddings;
    get diagnostics stored = row_count;
    -- Labels that were added since the first check count too, because label_fill may have read the old vectors already.
    if stored > 0 and exists (select from shop.label_index l where l.model_id = p_model_id) then
        perform shop_private.label_store(p_model_id, p_part::text, p_products);
    end if;
    if stored > 0 and exists (select from shop_private.webhook) then
        perform shop_private.webhook_note('searchable', p_model_id, p_products);
    end if;
    if stored > 0 and exists (select from shop.model m where m.model_id = p_model_id and m.status = 'serving')
        and exists (select from shop.watch w where w.disabled_at is null) then
        perform shop_private.watch_note(p_model_id, p_products);
        perform shop_private.watch_tell(p_products);
    end if;
    return stored;
end $$;
