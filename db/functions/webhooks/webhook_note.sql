-- Records, for the messages of webhooks, that products may have become searchable (p_kind is searchable), or that one
-- of their items was quarantined (p_kind is quarantined). A product can become searchable when its last waiting item is
-- quarantined, so webhooks of both kinds need the notes of the kind quarantined. A note is written only if the model
-- p_model_id is serving. A product has at most one note of a kind, so the table of notes is bounded even if no process
-- takes them. An existing note is updated, which locks it. So webhook_messages cannot take the note before this
-- transaction has committed its vectors. A note that this transaction has written stays as it is.
create or replace function shop_private.webhook_note(p_kind text, p_model_id smallint, p_products uuid[])
returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into shop_private.webhook_note (kind, product_id, noted_at)
    select p_kind, p.product_id, now()
    from (select distinct n.product_id from unnest(p_products) n(product_id)) p
    where exists (select from shop_private.webhook w where w.disabled_at is null
                  and (p_kind = 'quarantined' or p_kind = any (w.kinds)))
      and exists (select from shop.model m where m.model_id = p_model_id and m.status = 'serving')
    order by p.product_id
    on conflict (kind, product_id) do update set noted_at = excluded.noted_at
    where webhook_note.noted_at < excluded.noted_at;
$$;
