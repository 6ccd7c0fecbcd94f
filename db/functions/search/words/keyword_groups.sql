-- Builds the result of shop_private.keyword_query from the parts of a query. Letters and digits without a separator
-- between them form a unit: XJ900 is one unit of two parts. p_units[n] identifies the unit of part n, and p_in_code[n]
-- says whether part n belongs to a code. Joined form p_joined[n] covers the parts from p_joined_from[n] to
-- p_joined_to[n].
--
-- A product need not have a stop word of the query, with two exceptions. The exceptions are a stop word of one letter
-- in a code, and each word of a code that has only stop words (AT&T). For these stop words, the product must have the
-- joined form. A part in a script without blanks, such as Chinese, is replaced by its bigrams (pairs of neighbouring
-- characters). A single character of such a script matches each bigram that begins with this character. The function
-- needs no SET clause, because it runs under the search_path of the callers of keyword_query.
create or replace function shop_private.keyword_groups(
    p_language regconfig, p_parts text[], p_units integer[], p_in_code boolean[], p_joined text[],
    p_joined_from integer[], p_joined_to integer[],
    out words text[], out terms text[], out required text[], out as_typed tsquery
)
language plpgsql immutable as $$
begin
    with part as (
        select n, p.part, p.unit, p.in_code, shop_private.bigrams(p.part) as bigrams
        from unnest(p_parts, p_units, p_in_code) with ordinality p(part, unit, in_code, n)
    ), own as (  -- the words of each part, without joined forms
        select p.n, l.word, quote_literal(l.word) as term
        from part p, unnest(tsvector_to_array(to_tsvector(p_language, translate(p.part, E'\uE001', '.')))) l(word)
        where p.bigrams is null
        union all
        select distinct p.n, l.word, quote_literal(l.word) || case when length(p.part) = 1 then ':*' else '' end
        from part p, unnest(string_to_array(p.bigrams, ' ')) b(bigram),
            unnest(tsvector_to_array(to_tsvector(p_language, b.bigram))) l(word)
        where length(b.bigram) = 2 or length(p.part) = 1
    ), joined as (
        select p.n, p.unit, l.words[1] as word, quote_literal(l.words[1]) as term
        from unnest(p_joined, p_joined_from, p_joined_to) j(word, low, high)
        cross join tsvector_to_array(to_tsvector(p_language, j.word)) l(words)
        join part p on p.n between j.low and j.high
        where cardinality(l.words) = 1
    ), grouped as (  -- the alternatives of each part
        select p.n, p.unit, p.in_code, o.own, j.joined,
            concat_ws(' | ', case when o.own like '% & %' then format('(%s)', o.own) else o.own end, j.joined) as term,
            o.own is not null or p.in_code and (length(p.part) = 1
                or not exists (select from own join part c using (n) where c.in_code)) as is_required
        from part p
        left join (select n, string_agg(term, ' & ' order by term) as own from own group by n) o using (n)
        left join (select n, string_agg(distinct term, ' | ') as joined from joined group by n) j using (n)
        where num_nonnulls(o.own, j.joined) > 0
    ), unit as (
        select g.unit, string_agg(format('(%s)', g.term), ' & ') as term
        from grouped g where g.is_required group by g.unit having count(*) > 1 or bool_or(g.own like '% & %')
        union all  -- the term of a single word is the word itself, because the word may be a common word
        select g.unit, min(g.own) from grouped g where g.is_required group by g.unit
        having count(*) = 1 and not bool_or(g.own like '% & %')
        union
        select j.unit, j.term from joined j
    )
    select array(select w.word from own w union select w.word from joined w),
        array(select distinct u.term from unit u where u.term is not null),
        array(select format('(%s)', g.term) from grouped g where g.is_required),
        (select string_agg(format('(%s)', coalesce(g.joined, g.own)), ' & ')::tsquery from grouped g where g.in_code)
    into words, terms, required, as_typed;
end $$;
