-- Returns the synonyms that a text uses, or null. `first` and `last` are the numbers of the first and the last word
-- that a synonym replaces; a word is a part of the text between blanks. `terms` are the terms that stand for these
-- words. If two synonyms overlap in the text, the one that replaces more words is used. If both replace equally many,
-- the one that begins earlier is used. The terms are not looked up again, so synonyms that name each other do no harm.
-- At most @synonym_max_uses@ runs of words are replaced, each by at most @synonym_max_terms@ terms. Only the first
-- @keyword_max_words@ words of the text and 100 rows of shop.synonym are used.
create or replace function shop_private.synonyms_of(p_text text, p_catalog text)
returns shop_private.synonym_use[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off  -- the planner knows no shares of keys, so it would scan the table
as $$
declare
    stemmer regconfig;
    words text[];
    plain text[];
    stems text[];
    uses shop_private.synonym_use[];
    taken boolean[];
    found record;
begin
    if p_text is null then
        return null;
    end if;
    stemmer := shop_private.keyword_language(p_catalog);
    words := (regexp_split_to_array(btrim(left(p_text, @keyword_max_length@)), E'\\s+'))[:@keyword_max_words@];
    plain := array(select shop_private.term_key(w, null) from unnest(words) with ordinality u(w, n) order by n);
    stems := array(select shop_private.term_key(w, stemmer) from unnest(words) with ordinality u(w, n) order by n);
    for found in
        with part as materialized (
            select a as first, b as last, p.key as plain, s.key as stem
            from generate_subscripts(words, 1) a,
                generate_series(a, least(a + @synonym_max_words@ - 1, cardinality(words))) b,
                -- a sign between blanks has no key, as in the keys of a synonym
                array_to_string(array_remove(plain[a:b], ''), ' ') p(key),
                array_to_string(array_remove(stems[a:b], ''), ' ') s(key)
            where plain[a] <> '' and plain[b] <> ''
        ), used as materialized (
            select s.from_term, s.terms, s.keys from shop.synonym s
            where s.keys && (select array_agg(p.plain) || array_agg(p.stem) from part p)
                and (s.catalog is null or s.catalog = p_catalog)
                and (s.language is null or s.language = (select c.cfgname from pg_ts_config c where c.oid = stemmer))
            order by s.synonym_id limit 100
        )
        select p.first, p.last, (array_agg(distinct t.term collate "C"))[:@synonym_max_terms@] as terms
        from part p join used u on u.keys && array[p.plain, p.stem], unnest(u.terms) t(term)
        where shop_private.term_key(t.term, stemmer) <> p.stem
        group by p.first, p.last order by p.last - p.first desc, p.first
    loop
        continue when true = any(taken[found.first:found.last]);
        for place in found.first .. found.last loop
            taken[place] := true;
        end loop;
        uses := uses || row(found.first, found.last, array_to_string(words[found.first:found.last], ' '),
            found.terms)::shop_private.synonym_use;
        exit when cardinality(uses) = @synonym_max_uses@;
    end loop;
    return uses;
end $$;
