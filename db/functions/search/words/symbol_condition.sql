-- Some words differ from others only by their signs: C++, C# and .NET, 24" (inches) and 1/2. Returns a condition on p
-- (shop.product): the title must have the words of this kind that p_text has, with their signs; in place of the sign
-- of inches, it may have a word such as inch. The condition is needed because shop.product.keywords keeps no signs:
-- there, these words are C, NET, 24, and the two words 1 and 2. Returns null if the text has no such word. At most 5
-- such words are used.
create or replace function shop_private.symbol_condition(p_text text)
returns text
language plpgsql immutable parallel safe set search_path = pg_catalog, pg_temp as $$
declare
    inches constant text := '["″”“]|''''';
begin
    if p_text !~ E'[+#"″”“]|''''|[0-9]/[0-9]|(^|\\s)\\.' then
        return null;
    end if;
    return (
        select string_agg(format('p.title ~* %L', case
            when w.word ~ '^[[:alnum:]]+([+]{1,2}|#)$' then '(^|[^[:alnum:]])' || w.escaped || '($|[^+#[:alpha:]])'
            when w.word ~ '^[.]' then w.escaped || '($|[^[:alnum:]])'
            when w.word ~ '^[0-9]+/[0-9]+$' then '(^|[^[:alnum:]./,])' || w.escaped || '($|[^0-9/])'
            else '(^|[^[:alnum:]./,])' || regexp_replace(w.escaped, '(' || inches || ')$', '')
                || E'\\s?-?(' || inches || '|(in|inch|inches|zoll)($|[^[:alpha:]]))' end), ' and ')
        from (
            select t.word, regexp_replace(t.word, '([.+/])', E'\\\\\\1', 'g') as escaped
            from regexp_split_to_table(left(p_text, @keyword_max_length@), E'\\s+') s(typed),
                regexp_replace(s.typed, '^[(]+|[,;:!?)]+$', '', 'g') t(word)
            where t.word ~ ('^[[:alnum:]]{1,20}([+]{1,2}|#)$|^[.][[:alpha:]][[:alnum:]]{1,20}$|^[0-9]{1,4}/[0-9]{1,4}$'
                '|^[0-9]{1,4}([.,/-][0-9]{1,4})*(' || inches || ')$')
            limit 5) w);
end $$;
