-- Raises an error if shop.what_if cannot run with these arguments in this session.
create or replace function shop_private.check_what_if(p_changes jsonb, p_suite text, p_k integer)
returns void
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    queries bigint;
begin
    if pg_is_in_recovery() or current_setting('transaction_read_only')::boolean then
        raise exception using errcode = '25006', message = case when pg_is_in_recovery()
                then 'shop.what_if runs on the primary, and this server is a replica'
                else 'shop.what_if needs a transaction that may write' end,
            hint = 'shop.what_if makes the changes, searches, and rolls the changes back.';
    end if;
    if p_k is null or p_k not between 1 and @what_if_page@ then
        raise exception using errcode = '22023', message = format('k is %s', coalesce(p_k::text, 'null')),
            hint = 'k is the number of products of a first page, 1 to @what_if_page@.';
    end if;
    select count(*) into queries from (select from shop.judgement j where j.suite = p_suite
        group by j.catalog, j.query_id limit @what_if_queries@ + 1) q;
    if queries = 0 then
        raise exception using errcode = '42704',
            message = format('suite %s has no judgements', coalesce(quote_literal(left(p_suite, 120)), 'null')),
            hint = (select 'Suites with judgements: ' || coalesce(string_agg(s.suite, ', '), 'none') || '.'
                from (select distinct j.suite from shop.judgement j order by 1 limit 50) s);
    end if;
    if queries > @what_if_queries@ then
        raise exception using errcode = '54000',
            message = format('suite %L has more than @what_if_queries@ queries', p_suite),
            hint = 'Use a smaller suite.';
    end if;
    perform shop_private.check_changes(p_changes);
end $$;
