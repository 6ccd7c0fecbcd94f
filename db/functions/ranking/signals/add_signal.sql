-- Makes a column of any view or table a ranking signal. `view` has a column product_id or sku (`key` says which), and
-- the column value_column. A search that uses the signal reads the column at the time of the search, and only for its
-- candidates.
--
--   select shop.add_signal('margin', 'erp.margin', key => 'sku', catalog => 'main', weight => 0.3);
--
-- normalise maps the number in value_column to a value from 0 to 1. percentile is the share of smaller values. log is
-- ln(1 + value) as a share of the largest such logarithm. decay halves with each half_life of age; the column is a
-- time, or a number of days. A weight of 1 ranks a product with the value 1 as if one more ranking of the search (a
-- leg) had found it first. A signal of weight 0 is used only if a search or a rule gives it a weight. visible =>
-- 'staff' shows the contribution of the signal only to the role app.
--
-- A signal is read with the rights of the role that calls add_signal. This role owns the function shop_signals.<name>
-- (see signal_function). With key 'sku', the view has a column catalog, or the argument catalog names the catalog of
-- all its rows. Raises an error if check_signal refuses an argument, or if a column does not exist or has a wrong type.
-- An error is also raised if a product has two rows, or if a number is NaN or infinite.
create or replace function shop.add_signal(
    name text, view text, value_column text default 'value', key text default 'product_id',
    normalise text default 'percentile', half_life interval default null, weight double precision default 0,
    visible text default 'all', catalog text default null
)
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_variable
declare
    relation constant regclass := to_regclass(view);
    reader constant text := shop_private.signal_reader(current_user);
    aged constant interval := coalesce(half_life, '30 days');
    column_type regtype;
    quantiles double precision[];
begin
    perform shop_private.check_signal(name, view, key, normalise, half_life, weight, visible, catalog);
    column_type := shop_private.signal_column(relation, value_column, case when normalise = 'decay'
        then '{date,timestamp,timestamptz,smallint,integer,bigint,numeric,real,double precision}'::regtype[]
        else '{boolean,smallint,integer,bigint,numeric,real,double precision}'::regtype[] end);
    perform shop_private.signal_column(
        relation, key, case when key = 'sku' then '{text,varchar,bpchar}'::regtype[] else '{uuid}'::regtype[] end);
    if key = 'sku' and catalog is null then
        perform shop_private.signal_column(relation, 'catalog', '{text,varchar,bpchar}');
    end if;
    perform shop_private.check_signal_rows(relation, value_column, column_type,
        case when key = 'sku' and catalog is null then '{catalog,sku}' else array[key] end);

    insert into shop.signal
        (name, source, value_column, key, catalog, normalise, half_life, weight, visible, defined_by)
    values (name, relation::text, value_column, key, catalog, normalise,
        case when normalise = 'decay' then aged end, weight, visible, current_user);
    execute shop_private.signal_function(
        name, relation, value_column, column_type, key, catalog, normalise, aged);
    execute format('revoke all on function shop_signals.%I(uuid[]) from public', name);
    execute format('create or replace function shop_signals.%I(uuid[], jsonb, bigint[]) '
        'returns setof shop_private.signal_part language plpgsql stable security definer '
        'set search_path = pg_catalog, pg_temp as $body$ begin return query '
        'select r.* from shop_private.read_signals($1, $2, $3) r; end $body$',
        reader);
    execute format('revoke all on function shop_signals.%I(uuid[], jsonb, bigint[]) from public', reader);
    execute format('grant execute on function shop_signals.%I(uuid[], jsonb, bigint[]) to @analyst@, @app@', reader);
    execute format('select shop_signals.%I(null)', name) into quantiles;
    update shop.signal s set bounds = quantiles, refreshed_at = clock_timestamp() where s.name = add_signal.name;
end $$;
