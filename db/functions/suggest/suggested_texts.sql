-- Returns those queries, product types and brands kept by shop.refresh_suggestions that have p_key, a result of
-- suggestion_key, at the beginning of one of their first @suggestion_starts@ words. An empty p_key returns the most
-- frequent texts. If no text is found and p_key has at least @typo_min_letters@ characters, the texts with a similar
-- word are returned. `similarity` is then the word similarity (pg_trgm); otherwise it is 1. At most p_most texts of
-- each kind are returned. Blocked texts are not returned.
create or replace function shop_private.suggested_texts(p_key text, p_catalog text, p_kinds text[], p_most integer)
returns table (kind text, folded text, text text, count bigint, place smallint, similarity real)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off
set plan_cache_mode = force_generic_plan set pg_trgm.word_similarity_threshold = @suggestion_similarity@ as $$
declare
    blocked constant text[] := array(select b.text from shop.blocked_suggestion b);
begin
    if p_key = '' then
        return query
        select s.kind, s.folded, s.text, s.count, s.place, 1::real
        from unnest(p_kinds) k(kind) cross join lateral (
            select s.* from shop.suggestion s
            where s.catalog = p_catalog and s.kind = k.kind and s.place = 0
                and not shop_private.is_blocked(s.folded, blocked)
            order by s.count desc limit p_most) s;
        return;
    end if;
    return query
    select r.kind, r.folded, r.text, r.count, r.place, 1::real
    from (
        select d.*, row_number() over (partition by d.kind order by d.place > 0, d.count desc, d.folded) as n
        from (
            select distinct on (s.kind, s.folded) s.* from shop.suggestion s
            where s.catalog = p_catalog and s.start collate "C" >= p_key collate "C"
                and s.start collate "C" < p_key || E'\U0010FFFF' collate "C" and s.kind = any(p_kinds)
            order by s.kind, s.folded, s.place
        ) d
        where not shop_private.is_blocked(d.folded, blocked)
    ) r
    where r.n <= p_most;
    if not found and length(p_key) >= @typo_min_letters@ then
        return query
        select r.kind, r.folded, r.text, r.count, r.place, r.alike
        from (
            select s.*, @trgm@.word_similarity(p_key, s.folded) as alike, row_number() over (partition by s.kind
                order by @trgm@.word_similarity(p_key, s.folded) desc, s.count desc, s.folded) as n
            from shop.suggestion s
            where s.place = 0 and p_key operator(@trgm@.<%) s.folded and s.catalog = p_catalog
                and s.kind = any(p_kinds) and not shop_private.is_blocked(s.folded, blocked)
        ) r
        where r.n <= p_most;
    end if;
end $$;
