-- Checks a new or changed row of shop.synonym, and sets its keys. Terms are trimmed, and the terms of a synonym that
-- works both ways are sorted, so that equal synonyms are equal rows. A query uses the synonym if the query has
-- from_term or, in a synonym without from_term, one of the terms. The keys are these terms, each unstemmed and stemmed.
-- They are stemmed in the language of the synonym. A synonym without a language has the language of its catalog or,
-- without a catalog, the languages of all catalogs.
create or replace function shop_private.synonym_checked() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    hint constant text := 'A term has 2 to 100 characters and 1 to 5 words. A synonym has 2 to 20 terms, or from_term '
        'and 1 to 20 terms.';
    term text;
    languages regconfig[];
begin
    new.from_term := btrim(new.from_term);
    new.terms := array(
        select d.term
        from (select min(n) as n, (array_agg(btrim(t) order by n))[1] as term
            from unnest(new.terms) with ordinality u(t, n) group by shop_private.term_key(t, null)) d
        order by case when new.from_term is null then d.term end collate "C", d.n);
    if cardinality(new.terms) < (case when new.from_term is null then 2 else 1 end)
        or cardinality(new.terms) > @synonym_max_terms@
    then
        raise exception using errcode = '22023', hint = hint,
            message = format('the synonym has %s different terms', cardinality(new.terms));
    end if;
    foreach term in array new.terms || array_remove(array[new.from_term], null) loop
        if term is null or length(term) > 100 or length(shop_private.term_key(term, null)) < 2
            or cardinality(string_to_array(shop_private.term_key(term, null), ' ')) > @synonym_max_words@
        then
            raise exception using errcode = '22023', hint = hint,
                message = format('%s cannot be a term of a synonym', coalesce(quote_literal(left(term, 120)), 'null'));
        end if;
    end loop;
    if exists (select from unnest(new.terms) t
        where shop_private.term_key(t, null) = shop_private.term_key(new.from_term, null))
    then
        raise exception using errcode = '22023', hint = 'Leave the term out of terms.',
            message = format('%L is replaced by itself', new.from_term);
    end if;
    if new.language is not null and not exists (
        select from pg_ts_config c where c.cfgname = new.language and c.cfgnamespace = 'pg_catalog'::regnamespace)
    then
        raise exception using errcode = '22023', message = format('there is no language %L', new.language),
            hint = 'shop.set_language names the languages. null means: every language.';
    end if;
    if new.catalog <> 'main' and not exists (select from shop.catalog c where c.catalog = new.catalog) then
        raise exception using errcode = '22023', message = format('there is no catalog %L', new.catalog),
            hint = 'null means: every catalog.';
    end if;
    languages := array(select ('pg_catalog.' || quote_ident(l))::regconfig from (
        select new.language where new.language is not null
        union select coalesce(c.language, 'english') from (values (new.catalog)) v(catalog)
            left join shop.catalog c on c.catalog = v.catalog or v.catalog is null
            where new.language is null) s(l));
    new.keys := array(
        select distinct k
        from unnest(case when new.from_term is null then new.terms else array[new.from_term] end) t,
            unnest(languages || null::regconfig) l, shop_private.term_key(t, l) k);
    return new;
end $$;

create or replace trigger synonym_checked before insert or update on shop.synonym
for each row execute function shop_private.synonym_checked();
