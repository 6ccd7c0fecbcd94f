-- Point every reader at one model: the views first, then the function that says whose vectors they show, all in the
-- caller's transaction. It carries the model as a literal: one that looked the model up would answer with the new one
-- inside a transaction that still reads the old one's vectors. Readers hold a view from their first look at it, or at
-- the model (shop_private.serving), to the end of their transaction, so the switch waits for them. Whoever comes later
-- waits behind the switch: the caller's lock_timeout is for all views together, and then it is to try again.
--
-- p_model null: the model that is serving now, or none (then the views are empty and the functions say so).
create or replace function shop_private.serve_model(p_model text default null, p_force boolean default false)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $serve$
declare
    m shop.model;
    columns constant text := 'p.product_id, p.catalog, p.sku, p.title, p.description, p.brand, p.product_type, p.price, '
        'p.currency, p.availability, p.gtin, p.mpn, p.item_group_id, p.link, p.image_link, p.color, p.size, '
        'p.material, p.condition, p.attributes, p.created_at, p.updated_at';
    unfinished bigint;
    views text[];  -- in the order in which readers take them, see serving.sql
    view text;
    patience constant integer := (select setting::integer from pg_settings where name = 'lock_timeout');
    began timestamptz;
begin
    if p_model is null then
        select * into m from shop.model where status = 'serving';
    else
        select * into m from shop.model where name = p_model;
        if not found then
            raise exception using errcode = '42704', message = format('there is no model %L', p_model),
                hint = 'See "windowshop model list".';
        end if;
        if m.status = 'retired' then
            raise exception using errcode = '55000', message = format('model %L is retired', p_model),
                hint = 'Its tables are gone. Add it again with "windowshop model add".';
        end if;
    end if;

    if p_model is not null and not p_force
        and exists (select from shop.model where status = 'serving' and name <> p_model) then
        if pg_try_advisory_xact_lock(@lock_encoder_alive@, m.model_id) then
            raise exception using errcode = '55000', message = format('no encoder is running for model %L', p_model),
                hint = 'Queries would fail. Start "windowshop encode" first, or use --force.';
        end if;
        select count(*) into unfinished from shop_private.work w where w.model_id = m.model_id and w.state <> 'quarantined';
        if unfinished > 0 then
            raise exception using errcode = '55000',
                message = format('model %L still has %s items to encode', p_model, unfinished),
                hint = 'They would vanish from search. Wait for "windowshop encode", or use --force.';
        end if;
    end if;

    if m.model_id is null then
        views := array[
            format('create or replace view shop.searchable_image with (security_invoker = true) as
                select %s, 0::smallint as position, null::text as uri, null::@vector@.halfvec as image_embedding
                from shop.product p where false', columns),
            format('create or replace view shop.searchable with (security_invoker = true) as
                select %s, null::@vector@.halfvec as image_embedding, null::@vector@.halfvec as title_embedding
                from shop.product p where false', columns),
            'create or replace view shop.image_vector with (security_invoker = true) as
                select p.product_id, 0::smallint as position, null::@vector@.halfvec as embedding
                from shop.product p where false',
            'create or replace view shop.title_vector with (security_invoker = true) as
                select p.product_id, 0::smallint as position, null::@vector@.halfvec as embedding
                from shop.product p where false'];
    else
        -- Inner joins and casts to the unsized type both leave the HNSW index in use; the cast lets the next model
        -- have another dimension. The last two are the vectors alone, of one shape, for the legs of shop.search.
        views := array[
            format('create or replace view shop.searchable_image with (security_invoker = true) as
                select %1$s, i.position, f.uri, i.embedding::@vector@.halfvec as image_embedding
                from shop.product p
                join shop.%2$I i on i.product_id = p.product_id
                join shop.product_image f on f.product_id = i.product_id and f.position = i.position',
                columns, m.name || '_image'),
            format('create or replace view shop.searchable with (security_invoker = true) as
                select %1$s, i.embedding::@vector@.halfvec as image_embedding, t.embedding::@vector@.halfvec as title_embedding
                from shop.product p
                join shop.%2$I i on i.product_id = p.product_id and i.position = 0
                join shop.%3$I t on t.product_id = p.product_id', columns, m.name || '_image', m.name || '_title'),
            format('create or replace view shop.image_vector with (security_invoker = true) as
                select v.product_id, v.position, v.embedding::@vector@.halfvec as embedding from shop.%I v',
                m.name || '_image'),
            format('create or replace view shop.title_vector with (security_invoker = true) as
                select v.product_id, 0::smallint as position, v.embedding::@vector@.halfvec as embedding from shop.%I v',
                m.name || '_title')];
    end if;
    began := clock_timestamp();
    foreach view in array views loop
        if patience > 0 then
            perform set_config('lock_timeout', greatest(1, patience - extract(epoch from clock_timestamp() - began) * 1000)
                ::integer::text, true);
        end if;
        execute view;
    end loop;
    perform set_config('lock_timeout', patience::text, true);

    -- Without a SET clause, which would cost every query with a cached vector a tenth of its time.
    execute format($f$
create or replace function shop_private.model_of_views(
    out model_id smallint, out model text, out revision text, out dimension integer, out image_table regclass,
    out title_table regclass
) language plpgsql stable parallel safe as $$
begin
    model_id := %1$s; model := %2$L; revision := %3$L; dimension := %4$s;
    image_table := pg_catalog.to_regclass(%5$L); title_table := pg_catalog.to_regclass(%6$L);
end $$;
$f$, coalesce(m.model_id::text, 'null'), m.name, m.revision, coalesce(m.dimension::text, 'null'),
        'shop.' || quote_ident(m.name || '_image'), 'shop.' || quote_ident(m.name || '_title'));

    if p_model is not null then
        update shop.model set status = 'building' where status = 'serving' and name <> p_model;
        update shop.model set status = 'serving' where name = p_model and status <> 'serving';
        if found then
            insert into shop.serving_history (model, revision) values (m.name, m.revision);
        end if;
    end if;
end $serve$;

select shop_private.serve_model();
