-- Returns at most @synonym_variants@ variants of a text in which a synonym replaces words. Each variant replaces one
-- run of words (`first` to `last` of a synonym_use) by a term of this synonym_use. The variants with the first term of
-- each run come first, then those with the second terms. Returns null without synonyms. The function needs no SET
-- clause, because it runs under the search_path of its callers.
create or replace function shop_private.text_variants(p_text text, p_synonyms shop_private.synonym_use[])
returns text[]
language plpgsql immutable as $$
declare
    words text[];
begin
    if p_synonyms is null then
        return null;
    end if;
    words := regexp_split_to_array(btrim(p_text), E'\\s+');
    return (select (array_agg(v.variant order by v.n, v.first))[:@synonym_variants@]
        from (select array_to_string(words[:u.first - 1] || t.term || words[u.last + 1:], ' ') as variant, t.n, u.first
            from unnest(p_synonyms) u, unnest(u.terms) with ordinality t(term, n)) v);
end $$;
