-- Returns suggestions for the beginning of a query, while a shopper types it.
--
--   select kind, text, count from shop.suggest('guit');
--
-- `kind` is query, type, brand or product. For a query, `count` visitors of the catalog have searched for the text and
-- found something. For a type or brand, `count` products have it. For a product, the text is its title, product_id and
-- sku name it, and `count` is null. A query, type or brand is suggested if the prefix, which can have several words,
-- stands at the beginning of one of its first @suggestion_starts@ words. A title is suggested only if it begins with
-- the prefix. Capitals and accents make no difference. If nothing begins with the prefix, the prefixes with two
-- neighbouring letters exchanged are tried (see meant_prefix). If no query, type or brand is found in this way, those
-- with a similar word are suggested. `corrected` is true in both cases. An empty prefix returns the most frequent
-- queries, types and brands.
--
-- Queries, types and brands come from the last shop.refresh_suggestions. A query is suggested only if at least
-- @suggestion_visitors@ different visitors of the catalog have searched for it. A filter, or a row policy that hides
-- products from the caller, leaves only types, brands and titles of products that the caller sees and that pass the
-- filter. `count` is then counted at the time of the call. shop.blocked_suggestion lists texts that are not suggested.
create or replace function shop.suggest(
    prefix text, catalog text default 'main', k integer default 10,
    kinds text[] default array['query', 'type', 'brand', 'product'], filter jsonb default null
)
returns table (kind text, text text, count bigint, product_id uuid, sku text, corrected boolean)
language plpgsql stable rows 10 set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    known constant text[] := array['query', 'type', 'brand', 'product'];
    wanted constant text[] := array(select distinct unnest(kinds));
    typed constant text := shop_private.suggestion_key(left(prefix, @max_suggestion@ + 1));
    key text;  -- the result of meant_prefix
    condition text;
    restricted boolean;
begin
    if k is null or k not between 1 and @max_suggestions@ then
        raise exception using errcode = '22023', message = format('k is %s', coalesce(k::text, 'null')),
            hint = 'k is the number of suggestions, 1 to @max_suggestions@.';
    end if;
    if kinds is null or not kinds <@ known then
        raise exception using errcode = '22023', message = 'kinds names an unknown kind of suggestion',
            hint = format('The kinds are: %s', array_to_string(known, ', '));
    end if;
    condition := format('(%s) and (%s)',
        shop_private.catalog_condition(catalog), shop_private.filter_condition(filter));
    restricted := filter is not null or not shop_private.sees_every_product();
    if length(prefix) > @max_suggestion@ then
        return;
    end if;
    key := shop_private.meant_prefix(typed, catalog);
    return query
    with texts as (
        select t.* from shop_private.suggested_texts(key, catalog, wanted, k) t where not restricted
        union all
        select t.* from shop_private.visible_texts(key, catalog, condition, wanted, k) t where restricted
    ), found as (
        select t.kind, t.text, t.count, null::uuid as product_id, t.similarity, row_number() over (partition by t.kind
            order by t.similarity desc, t.place > 0, t.count desc, t.text) as n
        from texts t
        union all
        select 'product', p.title, null, p.product_id, 1, row_number() over (order by p.folded)
        from shop_private.suggested_products(key, catalog, condition, k) p
        where 'product' = any(kinds) and key <> ''
    ), chosen as (
        -- Each kind gets a share of the k places. The places that a kind does not need go to the other kinds.
        select f.*, array_position(known, f.kind) as kind_place from found f
        order by f.n > case f.kind when 'query' then (k + 1) / 2 else greatest(1, k / 5) end,
            array_position(known, f.kind), f.n limit k
    )
    select c.kind, c.text, c.count, c.product_id, p.sku, c.similarity < 1 or key <> typed
    from chosen c left join shop.product p on p.product_id = c.product_id
    order by c.kind_place, c.n;
end $$;
