-- Turns a query's text into the words that are looked up in products. Accents, letter case and the spelling of codes
-- make no difference, because shop_private.with_forms brings shop.product.keywords into the same forms.
--
-- A code is split into pieces at separators, and each piece into parts between letters and digits. A product must have
-- each part, or a joined form that covers the part: ABC123 becomes (abc | abc123) & (123 | abc123). Two neighbouring
-- pieces get a joined form if letters meet letters, if digits meet digits, or if the first piece is one character:
-- 16-07 becomes (16 | 1607) & (07 | 1607). Two neighbouring words get a joined form too if one of the two has at most
-- two letters, so "t shirt" finds Tshirt.
--
--   words            all stemmed words, including joined forms and bigrams (see keyword_groups)
--   terms            the words, and the units of letters and digits, as tsquery texts; one term selects a product
--   required         the parts of the whole query, as tsquery texts: each word with its other spellings
--   every_word       matches a product that has all required parts
--   any_word         matches a product with at least one of the terms
--   as_typed         matches a product that has each code of several parts; a part that has joined forms is matched
--                    only by these forms; null without such a code
--   plain_words      the words that are not parts of codes, not stemmed, in lower case and without accents
--   only_stop_words  whether all plain words are stop words and the text has no code
-- The function needs no SET clause, because it runs under the search_path of its callers.
create or replace function shop_private.keyword_query(
    p_text text, p_language regconfig,
    out words text[], out terms text[], out required text[], out every_word tsquery, out any_word tsquery,
    out as_typed tsquery, out plain_words text[], out only_stop_words boolean
)
language plpgsql immutable as $$
declare
    query text := left(p_text, @keyword_max_length@);
    parts text[] := '{}';
    units integer[] := '{}';
    in_code boolean[] := '{}';  -- whether the part belongs to a code of several parts
    joined text[] := '{}';
    joined_from integer[] := '{}';  -- the first and the last part that a joined form covers
    joined_to integer[] := '{}';
    chunk text;
    pieces text[];
    piece_parts text[];
    chunk_begin integer;
    piece_begin integer;
    before_begin integer;  -- the first part of `before`
    before text;  -- the previous piece or word
begin
    if query ~ E'^\\s*[0-9]+(\\s+[0-9]+)+\\s*$' then
        query := regexp_replace(btrim(query), E'\\s+', '-', 'g');  -- only groups of digits: together they are one code
    end if;
    if query ~ E'^\\s*([a-zA-Z]{3,}|[1-9][0-9]{0,8})(\\s+([a-zA-Z]{3,}|[1-9][0-9]{0,8}))*\\s*$' then  -- no codes
        words := (tsvector_to_array(to_tsvector(p_language, query)))[:@keyword_max_words@];
        plain_words := string_to_array(lower(query collate "C"), ' ');
        only_stop_words := words = '{}';
        terms := array(select quote_literal(w) from unnest(words) w);
        required := terms;
        every_word := nullif(array_to_string(terms, ' & '), '')::tsquery;
        any_word := nullif(array_to_string(terms, ' | '), '')::tsquery;
        return;
    end if;
    foreach chunk in array regexp_split_to_array(
        shop_private.mark_decimals(shop_private.fold(query)), E'[\\s;:!?()\\[\\]{}"*|<>=]+|,(?![0-9])|(?<![0-9]),')
    loop
        pieces := string_to_array(nullif(shop_private.word_pieces(chunk), ''), ' ');
        continue when pieces is null;
        exit when cardinality(parts) >= @keyword_max_words@;
        chunk_begin := cardinality(parts) + 1;
        for n in 1..cardinality(pieces) loop
            piece_begin := cardinality(parts) + 1;
            piece_parts := string_to_array(shop_private.word_parts(pieces[n]), ' ');
            parts := parts || piece_parts;
            units := units || array_fill(piece_begin, array[cardinality(piece_parts)]);
            if cardinality(piece_parts) > 1 then
                joined := joined || pieces[n];
                joined_from := joined_from || piece_begin;
                joined_to := joined_to || cardinality(parts);
            end if;
            if n > 1 and (right(before, 1) ~ '[0-9]' = left(pieces[n], 1) ~ '[0-9]' or length(before) = 1)
                or cardinality(pieces) = 1 and least(length(before), length(chunk)) <= 2 and before || chunk !~ '[0-9]'
            then
                joined := joined || (before || pieces[n]);
                joined_from := joined_from || before_begin;
                joined_to := joined_to || cardinality(parts);
            end if;
            before := pieces[n];
            before_begin := piece_begin;
        end loop;
        if cardinality(pieces) > 2 and array_to_string(pieces, ' ') !~ '[0-9] [^0-9]|[^0-9 ] [0-9]' then
            joined := joined || array_to_string(pieces, '');
            joined_from := joined_from || chunk_begin;
            joined_to := joined_to || cardinality(parts);
        end if;
        in_code := in_code || array_fill(cardinality(parts) > chunk_begin, array[cardinality(parts) - chunk_begin + 1]);
        before := case when cardinality(pieces) = 1 then before end;
    end loop;

    select q.words, q.terms, q.required, q.as_typed into words, terms, required, as_typed
    from shop_private.keyword_groups(p_language, parts, units, in_code, joined, joined_from, joined_to) q;
    any_word := nullif(array_to_string(array(select format('(%s)', t) from unnest(terms) t), ' | '), '')::tsquery;
    required := case when required = '{}' then array_remove(array[any_word::text], null) else required end;
    every_word := nullif(array_to_string(array(select format('(%s)', r) from unnest(required) r), ' & '), '')::tsquery;
    plain_words := array(select p.part from unnest(parts, in_code) p(part, in_code) where not p.in_code);
    only_stop_words := plain_words <> '{}' and not true = any(in_code)
        and to_tsvector(p_language, array_to_string(plain_words, ' ')) = '';
end $$;
