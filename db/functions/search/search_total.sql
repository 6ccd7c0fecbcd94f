-- Sets run.total and run.total_is. run.total is the number of products of the catalog that pass the filter, encoded or
-- not. run.total_is says how exact run.total is: 'exact'; 'about', an estimate; or 'at least', a lower bound. p_matched
-- lists the products that pass, or is null if they were not collected. If nothing but the catalog or a label (see
-- leg_source) restricts a search, p_known_share is the share of all products that pass, or null if that share is not
-- known. Under any other filter, p_known_share is null. p_sampled_share is the share of products that passed in a
-- sample, or null. At most p_settings.exact_limit + 1 products are counted.
create or replace function shop_private.search_total(
    p_request shop_private.search_request, p_settings shop_private.search_settings, p_known_share double precision,
    p_sampled_share double precision, p_matched uuid[], inout run shop_private.search_run
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    most constant bigint := p_settings.exact_limit;
    ranked constant bigint :=  -- the number of products that a vector leg ranked; null without a vector leg
        cardinality(coalesce((run.image_leg).product_ids, (run.title_leg).product_ids));
    products bigint;
    live bigint;
    counted bigint;
begin
    if p_matched is not null then
        run.total := cardinality(p_matched);
        run.total_is := 'exact';
        return;
    end if;
    if p_known_share is not null then
        products := p_known_share * shop_private.row_estimate('shop.product');
        -- row_estimate includes the pages of deleted rows, but the server's counter of live rows does not. The products
        -- are therefore counted if either number is small. A standby has no counters, and a crash resets them. Without
        -- counters, `live` is row_estimate if ANALYZE has run, otherwise 0, so that products are counted.
        live := case
            when pg_stat_get_live_tuples('shop.product'::regclass) > 0
                or pg_stat_get_tuples_inserted('shop.product'::regclass) > 0
            then p_known_share * pg_stat_get_live_tuples('shop.product'::regclass)
            else (select case when c.reltuples > 0 then products else 0 end from pg_class c
                  where c.oid = 'shop.product'::regclass) end;
        run.total := products;
        run.total_is := 'about';
    elsif p_request.route is null and p_sampled_share * p_settings.products <= most then
        run.total := greatest(1, p_sampled_share * p_settings.products);
        run.total_is := 'about';
    else
        run.total := case when p_request.route is null then most + 1 else coalesce(ranked, 0) end;
        run.total_is := 'at least';
    end if;
    -- With a known share, the products are counted if an estimate is at most `most`. They are also counted if a leg
    -- found fewer products than run.depth, because estimates may lag. Without a known share but with a forced route,
    -- the products are counted if a vector leg found fewer products than run.depth. With neither a known share nor a
    -- forced route, they are not counted: run_search has found more than `most` matches, or has estimated their number
    -- because collecting them would read the whole table.
    if least(products, live) <= most
        or products is not null and coalesce(ranked, cardinality((run.keyword_leg).product_ids), 0) < run.depth
        or products is null and p_request.route is not null and coalesce(ranked, 0) < run.depth
    then
        execute format('select count(*) from (select from shop.product p where %s limit %s) m', run.condition, most + 1)
        into counted;
        run.total := case when counted <= most then counted else greatest(run.total, counted) end;
        run.total_is := case when counted <= most then 'exact' else run.total_is end;
    end if;
end $$;
