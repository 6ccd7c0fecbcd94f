-- Returns a regular expression that finds p_word, a word without accents, in a title that may have accents and
-- capitals. The expression lists accented letters in both cases, because in a database of LC_CTYPE C the operator ~*
-- does not know the capitals of accented letters.
create or replace function shop_private.title_pattern(p_word text)
returns text
language plpgsql immutable parallel safe as $$
declare
    pattern text := replace(regexp_replace(p_word, '[^[:alnum:]]', '', 'g'), 'ss', '(ss|ß)');
begin
    pattern := replace(replace(pattern, 'a', '[aäàáâÄÀÁÂ]'), 'e', '[eéèêëÉÈÊ]');
    return replace(replace(replace(pattern, 'o', '[oöóôÖÓÔ]'), 'u', '[uüùúÜÙÚ]'), 'i', '[iíîïÍÎ]');
end $$;
