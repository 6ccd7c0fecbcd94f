-- Returns the model named p_model. Raises an error if there is no such model or if the model is retired. The function
-- also raises an error if p_model has no running encoder or still has items to encode, because a switch would then lose
-- search results. The encoder and the items are not checked if p_force is true or no other model serves.
create or replace function shop_private.model_to_serve(p_model text, p_force boolean)
returns shop.model
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    model shop.model;
    unfinished bigint;
begin
    select * into model from shop.model where name = p_model;
    if not found then
        raise exception using errcode = '42704', message = format('there is no model %L', p_model),
            hint = 'See "windowshop model list".';
    end if;
    if model.status = 'retired' then
        raise exception using errcode = '55000', message = format('model %L is retired', p_model),
            hint = 'The tables of the model are deleted. Add the model again with "windowshop model add".';
    end if;
    if p_force or not exists (select from shop.model where status = 'serving' and name <> p_model) then
        return model;
    end if;
    if not shop_private.encoder_alive(model.model_id) then
        raise exception using errcode = '55000', message = format('no encoder is running for model %L', p_model),
            hint = 'Queries would fail without an encoder. Start "windowshop encode" first, or use --force.';
    end if;
    select count(*) into unfinished
    from shop_private.work w where w.model_id = model.model_id and w.state <> 'quarantined';
    if unfinished > 0 then
        raise exception using errcode = '55000',
            message = format('model %L still has %s items to encode', p_model, unfinished),
            hint = 'Search would not find these items. Wait for "windowshop encode", or use --force.';
    end if;
    return model;
end $$;
