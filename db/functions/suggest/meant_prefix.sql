-- Returns the prefix that a shopper means: p_key, a result of suggestion_key, or p_key with two neighbouring letters
-- exchanged. Letters are exchanged only if p_key neither begins a title of the catalog nor finds a text of
-- shop.suggestion (see suggested_texts). Of several prefixes with exchanged letters, the one with the most frequent
-- text is returned. A prefix of fewer than @typo_min_letters@ or more than @suggestion_swaps@ characters is returned as
-- it is. Under a row policy, the indexes cannot be used, so p_key is returned.
create or replace function shop_private.meant_prefix(p_key text, p_catalog text)
returns text
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off
set plan_cache_mode = force_generic_plan as $$
begin
    if length(p_key) not between @typo_min_letters@ and @suggestion_swaps@
        or row_security_active('shop.product'::regclass)
        or exists (
            select from shop.suggestion s
            where s.catalog = p_catalog and s.start collate "C" >= p_key collate "C"
                and s.start collate "C" < p_key || E'\U0010FFFF' collate "C")
        or exists (
            select from shop.product p
            where p.catalog = p_catalog and left(shop_private.fold(p.title), @title_start@) collate "C" >= p_key
                and left(shop_private.fold(p.title), @title_start@) collate "C" < p_key || E'\U0010FFFF')
    then
        return p_key;
    end if;
    return coalesce((
        select v.key
        from (
            select n, overlay(p_key placing reverse(substr(p_key, n, 2)) from n for 2) as key
            from generate_series(1, length(p_key) - 1) n where substr(p_key, n, 2) ~ '^[[:alnum:]]{2}$'
        ) v
        cross join lateral (
            select max(s.count) as count
            from (select s.count from shop.suggestion s
                where s.catalog = p_catalog and s.start collate "C" >= v.key collate "C"
                    and s.start collate "C" < v.key || E'\U0010FFFF' collate "C" limit 100) s) t
        where t.count is not null or exists (
            select from shop.product p
            where p.catalog = p_catalog and left(shop_private.fold(p.title), @title_start@) collate "C" >= v.key
                and left(shop_private.fold(p.title), @title_start@) collate "C" < v.key || E'\U0010FFFF')
        order by t.count desc nulls last, v.n limit 1), p_key);
end $$;
