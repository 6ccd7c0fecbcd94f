-- Returns the parts of a text that can be an identifier (SKU, GTIN, MPN or model number). A part is a word with a
-- digit. A run of at most @code_most_words@ adjacent words with a digit among them can be a part too, because people
-- type identifiers with blanks. A single word is not returned if it is a size, a year, a price or the number of a
-- measure, because many products share such words: 42, 2024, 1,299.00, 10mm, the 20000 of 20000 mAh, and 100x200.
-- `token` is the part as typed, and `key` is its identifier_key.
--
-- If `strong` is true, the part alone names its product. If `strong` is false, the part names only products that also
-- have the other words of the text (`rest`). `in_text` is true if the part is specific enough to be looked up in the
-- words of products. The function needs no SET clause, because it runs under the search_path of exact_matches.
create or replace function shop_private.code_tokens(
    p_text text, out token text, out key text, out strong boolean, out in_text boolean, out rest text
)
returns setof record
language plpgsql immutable as $$
declare
    units constant text := 'mm|cm|dm|km|ft|inch|kg|mg|lbs?|oz|ml|cl|dl|gal|kw|kv|mv|mah|ah|k?hz|mhz|ghz|[kmgt]b|mp|px'
        '|dpi|rpm|psi|bar|db|lm|watts?|volts?|btu|pcs|pieces?|teile|packs?|count|pages|sheets|hours|lumens';
    measure constant text := E'(^|\\s)((size|sz|gr|grösse|größe|taille|talla|maat|eu|uk|us|pack of|set of)\\.?'
        '\\s+[0-9]+|[0-9][0-9.,x×/]*(\\s*-?(' || units || E')|[0-9a-z]?["gmlwvakp%]|(x[0-9]+)+))(?=$|[\\s,;.:!?)])';
    edges constant text := '.,;:!?()[]{}"''#';
    words constant text[] := array(
        select btrim(w, edges) from regexp_split_to_table(p_text, E'\\s+') w
        where btrim(w, edges) <> '' limit @keyword_max_words@);
    without_measures constant text[] := array(
        select btrim(w, edges) from regexp_split_to_table(regexp_replace(p_text, measure, ' ', 'gi'), E'\\s+') w);
    digits integer;
begin
    for start in 1 .. cardinality(words) loop
        for stop in start .. least(start + @code_most_words@ - 1, cardinality(words)) loop
            token := array_to_string(words[start:stop], ' ');
            continue when token !~ '[0-9]' or start = stop and token <> all(without_measures);
            key := shop_private.identifier_key(token);
            digits := length(regexp_replace(key, '[^0-9]', '', 'g'));
            strong := case
                when start < stop and digits = length(key) then nullif(digits >= 8, false)
                when start < stop then case
                    when length(key) > @code_min_length@ and digits >= 4 and token ~ E'^\\S*[^\\W\\d_]' then true
                    when length(key) >= 4 then false end
                when token ~ '^[0-9]+$' then case
                    when length(token) >= @code_min_length@ then token !~ '000$'
                    when length(token) >= 3 and token !~ '^(19|20)..$' then false end
                when digits = length(key) then  -- a price, such as 1,299.00, is not returned
                    nullif(digits >= 7 and token !~ '^[0-9]{1,3}([.,''][0-9]{3})*([.,][0-9]{2})?$', false)
                when length(key) >= @code_min_length@ and digits >= 2 then true
                when length(key) >= 3 then token ~ '[-./_]'
                when length(key) = 2 then false end;
            continue when strong is null;
            -- A short number joined to a word, such as 24-hour, is not looked up in the words of products.
            in_text := strong and start = stop and length(key) >= @code_min_length@ and digits >= 2
                and token !~ E'^[0-9]{1,4}-?[^\\W\\d_]*$';
            rest := array_to_string(words[:start - 1] || words[stop + 1:], ' ');
            return next;
        end loop;
    end loop;
end $$;
