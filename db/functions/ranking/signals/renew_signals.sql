-- Creates the functions of the signals again, with the text that signal_function writes now. Each upgrade calls this
-- function, as the owner role in the session of an administrator. The role that defined a signal creates the function,
-- and a function that this role does not own is left as it is. Any role with the rights of the role app can insert the
-- row of a signal, and could name any view in the row. So a function is renewed only if it already reads the view and
-- the column of the row. This check ignores the text literals in the function, because in an older function one of them
-- is the name of a catalog. Whoever inserted the row chose this name, which could look like a view and a column. A
-- signal keeps its present function if its view is gone, or if the session may not act as the role of the signal.
create or replace function shop_private.renew_signals()
returns void
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    owner constant name := current_user;
    signal shop.signal;
    relation regclass;
begin
    for signal in
        select s.* from shop.signal s
        join pg_roles r on r.rolname = s.defined_by
        join pg_proc f on f.oid = to_regprocedure(format('shop_signals.%I(uuid[])', s.name)) and f.proowner = r.oid
        cross join lateral regexp_replace(f.prosrc, '("([^"]|"")*")|''([^'']|'''')*''', E'\\1', 'g') code
        where strpos(code, format(' %s v', s.source)) > 0
            and code ~ format(
                E'v\\.%s(?!["$\\w])', regexp_replace(quote_ident(s.value_column), E'(\\W)', E'\\\\\\1', 'g'))
    loop
        begin
            execute format('set local role %I', signal.defined_by);
            relation := signal.source::regclass;
            execute shop_private.signal_function(signal.name, relation, signal.value_column,
                shop_private.signal_column(relation, signal.value_column, '{date,timestamp,timestamptz,boolean,'
                    'smallint,integer,bigint,numeric,real,double precision}'),
                signal.key, signal.catalog, signal.normalise, signal.half_life);
            execute format('set local role %I', owner);
        exception when others then
            raise warning 'the function of the signal % is not renewed: %', signal.name, sqlerrm;
        end;
    end loop;
end $$;

select shop_private.renew_signals();
