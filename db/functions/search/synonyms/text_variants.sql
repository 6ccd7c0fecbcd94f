-- Returns variants of a text in which synonyms replace words, at most @synonym_variants@. Each variant replaces the
-- words of one place by one term. The first term of each place comes first. Returns null without synonyms. The function
-- has no SET clause, because it runs under the settings of its callers.
create or replace function shop_private.text_variants(p_text text, p_synonyms shop_private.synonym_use[])
returns text[]
language plpgsql immutable as $$
declare
    words constant text[] := regexp_split_to_array(btrim(p_text), '\s+');
begin
    return (select (array_agg(v.variant order by v.n, v.first))[:@synonym_variants@]
        from (select array_to_string(words[:u.first - 1] || t.term || words[u.last + 1:], ' ') as variant, t.n, u.first
            from unnest(p_synonyms) u, unnest(u.terms) with ordinality t(term, n)) v);
end $$;
