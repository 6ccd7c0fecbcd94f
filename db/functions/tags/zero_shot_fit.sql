-- Returns the temperature that shop.calibrate_zero_shot fitted for `field` and the serving model, or the reason why no
-- reliable temperature exists. `template` returns the requested template. If the requested template is null, `template`
-- returns the template of the calibration, or {} (the label alone) if there is no calibration.
create or replace function shop_private.zero_shot_fit(
    field text, inout template text, out temperature double precision, out reason text
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    requested constant text := template;
    model constant record := shop_private.serving();
    t shop.tuning;
    ece double precision;
begin
    perform shop_private.tag_expression(field);
    select * into t from shop.tuning t where t.model_id = model.model_id and t.name = 'zero_shot:' || field;
    template := coalesce(requested, t.detail ->> 'template', '{}');
    ece := t.detail ->> 'ece';
    if t.name is null then
        reason := format('%s was not calibrated with model %s; see shop.calibrate_zero_shot', field, model.model);
    elsif template <> t.detail ->> 'template' then
        reason := format('%s was calibrated with another template, %L', field, t.detail ->> 'template');
    elsif ece > 0.10 then
        reason := format('the expected calibration error of %s was %s, over 0.10', field, round(ece::numeric, 3));
    else
        temperature := t.value;
    end if;
end $$;
