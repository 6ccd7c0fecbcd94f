-- Finds in p_text the words that are in p_words (stemmed words of a query), and returns where they are. `first` is the
-- position of a word's first character, from 0, and `length` the number of its characters. Characters are code points:
-- an accent that follows its letter is a character of its own, and so is each part of an emoji. The returned
-- parts do not overlap, because overlapping words are returned as one part.
--
-- The function splits p_text into runs of two kinds. A run of the first kind is a sequence of letters, digits and marks
-- of scripts that write blanks between words. A run of the second kind is a sequence of characters of other scripts;
-- here, Korean is one of them. A run of the first kind is returned if its stem is in p_words. It is also returned if it
-- is split between letters and digits (15cm into 15 and cm) and every part is in p_words. Two runs with one sign
-- between them (T-shirt, Wi-Fi) are returned together if one of these two conditions holds for the joined runs
-- (tshirt). In a run of the second kind, each pair of neighbouring characters is a word; a run of one character is
-- never returned. The function needs no SET clause, because it runs under the search_path of marked_products.
create or replace function shop_private.marked_words(p_text text, p_language regconfig, p_words text[])
returns table (first integer, length integer)
language plpgsql stable as $$
declare
    unspaced constant text := E'\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff'
        || E'\u3400-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff';
    -- letters, digits, marks and characters without width; no emoji
    spaced constant text := E'0-9A-Za-z\u00aa\u00ad\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u0dff\u0f00-\u0fff'
        || E'\u10a0-\u177f\u1800-\u1fff\u200b-\u200d\u2060\u2c00-\u2dff\ua4d0-\uabff\ufb00-\ufdff\ufe70-\ufefc'
        || E'\uff10-\uff19\uff21-\uff3a\uff41-\uff5a\U00010000-\U0001efff';
    -- The ranges above contain signs too, such as the Arabic comma. Here each sign is "-", which is in no range.
    signless constant text := regexp_replace(p_text collate "pg_c_utf8", '[[:punct:]]', '-', 'g');
begin
    return query
    with run as materialized (
        select m.n, m.part[1] as gap, m.part[2] as word,
            (sum(length(m.part[1]) + length(m.part[2])) over (order by m.n) - length(m.part[2]))::integer as first
        from regexp_matches(signless, format('([^%1$s%2$s]*)([%1$s]+|[%2$s]+)', unspaced, spaced), 'g')
            with ordinality m(part, n)
    ), pair as (
        select r.first, (length(r.word) + 1 + length(r.next))::integer as length, r.word || r.next as word
        from (select r.*, lead(r.word) over (order by r.n) as next, lead(r.gap) over (order by r.n) as sign
            from run r) r
        where length(r.sign) = 1 and r.sign !~ E'\\s'
    ), candidate as (
        select r.first, length(r.word) as length, r.word from run r where r.word !~ format('^[%s]', unspaced)
        union all select p.first, p.length, p.word from pair p
        union all select r.first + c - 1, 2, substr(r.word, c, 2)
        from run r, generate_series(1, length(r.word) - 1) c where r.word ~ format('^[%s]', unspaced)
    ), known as materialized (  -- each word is stemmed once
        select d.word from (select distinct c.word from candidate c) d, shop_private.fold(d.word) f(folded)
        where tsvector_to_array(to_tsvector(p_language, f.folded)) && p_words
            or tsvector_to_array(to_tsvector(p_language, shop_private.word_parts(f.folded))) <> '{}'
                and tsvector_to_array(to_tsvector(p_language, shop_private.word_parts(f.folded))) <@ p_words
    ), placed as (
        select c.first, c.first + c.length as stop,
            max(c.first + c.length) over (order by c.first, c.length rows between unbounded preceding and 1 preceding)
                as before
        from candidate c join known k using (word)
    ), island as (
        select p.*, count(*) filter (where p.first >= p.before is not false) over (order by p.first, p.stop) as number
        from placed p
    )
    select min(i.first), max(i.stop) - min(i.first) from island i group by i.number order by 1;
end $$;
