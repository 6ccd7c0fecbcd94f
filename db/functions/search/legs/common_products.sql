-- Finds products for a query whose required words are all common. If no vector leg (a ranking by image or title) runs,
-- the function also finds products for a query with a misspelt word. p_every is a query for all required words, and
-- p_any is a query for any word. p_shares lists, for each required part of the query, the share of all products that
-- have this part. p_condition is a condition on p (shop.product), and p_products is the number of all products.
--
-- The words together can be rare, even if each word is common. If the function reads the index and finds that at most
-- @keyword_common@ products have every word and meet p_condition, `complete` is true and `product_ids` lists these
-- products. Otherwise, the result depends on p_needed. If vector legs run, they select the products; p_needed and
-- `product_ids` are then null. If no vector leg runs, p_needed is the number of products that the keyword leg needs,
-- and `product_ids` lists up to @keyword_common@ products that have every word. If these are fewer than p_needed, a
-- sample of the table adds products that have some words.
--
-- The work has a limit, whatever the words are: the index is read only if the rarest word has at most
-- @keyword_most_listed@ products. At most @keyword_most_read@ products are read by the index, and twice as many in the
-- sample. If the sample has too few products that pass a filter, a second sample is five times as large. rows_read is
-- about the number of read products.
create or replace function shop_private.common_products(
    p_every tsquery, p_any tsquery, p_shares double precision[], p_condition text, p_products bigint,
    p_needed integer,
    out product_ids uuid[], out complete boolean, out rows_read bigint
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    -- the share of products with all required words, if the words are independent
    share constant double precision := (select exp(sum(ln(s))) from unnest(p_shares) s);
    rarest constant double precision := (select min(s) from unnest(p_shares) s);
    is_filtered constant boolean := p_condition <> 'true';
    samples constant integer[] := case  -- the sizes of the samples, in the order in which they are tried
        when is_filtered then array[2 * @keyword_most_read@, 10 * @keyword_most_read@]
        else array[least(2 * @keyword_most_read@, 1.3 * @keyword_common@ / share)] end;
    sampled integer;
    every_product uuid[];
    most constant integer := case when is_filtered then @keyword_most_read@ else @keyword_common@ + 1 end;
    partial uuid[];
begin
    complete := false;
    rows_read := 0;
    if rarest * p_products <= @keyword_most_listed@ and (
        cardinality(p_shares) > 1 and share * p_products <= @keyword_margin@ * @keyword_common@
        or p_needed is not null and share * samples[1] < @keyword_common@ / 5)
    then
        execute format('select array_agg(p.product_id) filter (where %s), count(*)
            from (select * from shop.product p where p.keywords @@ $1 limit $2) p', p_condition)
        into every_product, rows_read using p_every, most;
        complete := rows_read < most and coalesce(cardinality(every_product), 0) <= @keyword_common@;
    end if;
    product_ids := case when complete or p_needed is not null then every_product[:@keyword_common@] end;
    foreach sampled in array samples loop
        exit when p_needed is null or cardinality(product_ids) >= least(p_needed, @keyword_common@);
        execute format('select array_agg(s.product_id) from (select p.product_id from %s
                where p.keywords @@ $2 and %s order by p.keywords @@ $1 desc limit @keyword_common@) s',
            shop_private.sample_of('shop.product p', p_products, sampled), p_condition)
        into partial using p_every, p_any;
        product_ids := every_product[:@keyword_common@] || partial;
        rows_read := rows_read + case when row_security_active('shop.product'::regclass)
            then coalesce(cardinality(partial), 0) else least(sampled, p_products) end;
    end loop;
end $$;
