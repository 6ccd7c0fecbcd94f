-- Computes the texts that shop.suggest shows, and returns their number. The jobs call the function every 10 minutes.
--
--   select shop.refresh_suggestions();
--
-- The texts are product types, brands and queries. A query is included if, in the last @suggestion_days@ days, it found
-- products for at least @suggestion_visitors@ different visitors of the catalog. A visitor of the web service's page
-- has another name on each day. So the page's visitors are counted for each day, and those whom the shop has named are
-- counted for all days together; the largest of these counts is used. Texts of more than @max_suggestion@ characters
-- are left out. Texts that differ only in capitals, accents and blanks are one text, in the most frequent spelling. The
-- function keeps the @suggestions_kept@ most frequent texts of each kind and catalog. Only rows that have changed are
-- written.
create or replace function shop.refresh_suggestions()
returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    kept bigint;
begin
    -- One refresh at a time; readers do not wait. The lock is no advisory lock, because every role may take one.
    lock table shop.suggestion in share row exclusive mode;
    with searched as materialized (
        select distinct e.catalog, e.query as text, e.visitor,
            coalesce(substring(e.visitor from E'^page \\d{4}-\\d\\d-\\d\\d '), '') as day
        from shop.event e
        where e.kind = 'search' and e.results > 0 and e.visitor is not null
            and length(e.query) <= @max_suggestion@ and e.query !~ '[[:cntrl:]]'
            and e.at > clock_timestamp() - make_interval(days => @suggestion_days@)
    ), listed as materialized (
        select p.catalog, 'type' as kind, p.product_type as text, count(*) as products
        from shop.product p where length(p.product_type) <= @max_suggestion@ group by 1, 3
        union all
        select p.catalog, 'brand', p.brand, count(*)
        from shop.product p where length(p.brand) <= @max_suggestion@ group by 1, 3
    ), key as materialized (
        select t.text, shop_private.suggestion_key(t.text) as folded
        from (select s.text from searched s union select l.text from listed l) t
    ), asked as (
        -- nth numbers the visitors of a query: those whom the shop has named, and those of the page on each day
        select s.*, k.folded, dense_rank() over (partition by s.catalog, k.folded, s.day order by s.visitor) as nth
        from searched s join key k on k.text = s.text
    ), named as (
        select a.catalog, 'query' as kind, a.folded, mode() within group (order by btrim(a.text)) as text,
            max(a.nth) as count
        from asked a group by 1, 3 having max(a.nth) >= @suggestion_visitors@
        union all
        select l.catalog, l.kind, k.folded, (array_agg(l.text order by l.products desc, l.text))[1],
            sum(l.products)::bigint
        from listed l join key k on k.text = l.text
        group by 1, 2, 3
    ), best as (
        select n.*, string_to_array(n.folded, ' ') as words, row_number() over (
            partition by n.catalog, n.kind order by n.count desc, n.folded) as rank
        from named n where n.folded <> ''
    ), wanted as materialized (
        select b.catalog, b.kind, b.folded, place::smallint, array_to_string(b.words[place + 1:], ' ') as start, b.text,
            b.count
        from best b cross join generate_series(0, least(cardinality(b.words), @suggestion_starts@) - 1) place
        where b.rank <= @suggestions_kept@ and (place = 0 or b.words[place + 1] ~ '^[[:alnum:]]')
    ), gone as (
        delete from shop.suggestion s
        where not exists (select from wanted w
            where (w.catalog, w.kind, w.folded, w.place) = (s.catalog, s.kind, s.folded, s.place))
    ), put as (
        insert into shop.suggestion as s (catalog, kind, folded, place, start, text, count)
        select w.catalog, w.kind, w.folded, w.place, w.start, w.text, w.count from wanted w
        on conflict (catalog, kind, folded, place) do update set text = excluded.text, count = excluded.count
        where (s.text, s.count) is distinct from (excluded.text, excluded.count)
    )
    select count(*) into kept from wanted w where w.place = 0;
    return kept;
end $$;
