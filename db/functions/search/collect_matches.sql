-- Collects the products that meet p_condition, a condition on p (shop.product), if at most p_most products meet it and
-- an index scan would not be faster. Otherwise `matched` is null. p_products is the number of all products, or an
-- estimate of this number. p_scan_us is the time in microseconds that scans of the HNSW indexes would take if every
-- product met the condition, or null if no such scan is possible.
--
-- The function collects nothing in two cases:
--   (1) a sample of random pages shows, with a margin of three standard deviations, that more than p_most products
--       match;
--   (2) collecting would have to read the whole table, because the condition only compares attributes and no index
--       finds the matches; and this would take longer than @attribute_most_us@ microseconds and longer than the scans.
--       The time of the scans is p_scan_us divided by the lower bound of the share of products that match. This case
--       does not apply under row level security, because an estimate of the total would count hidden products.
-- Otherwise, collecting stops after p_most + 1 products.
--
-- A sample has @sample_products@ products. If the condition only compares attributes, a sample has one product in
-- @attribute_sample@ if that is more, but at most @attribute_sample_most@. No sample is taken if the caller passes a
-- known fraction as `share`. No sample is taken either if p_products is at most twice p_most, unless reading the table
-- could take longer than both limits of case (2). After a sample, `share` is the fraction of the sample that meets the
-- condition, or a larger fraction if more than p_most matches were found.
--
-- Under row level security, the sample also has hidden products. They are not counted, so `share` is a fraction of the
-- intended size of the sample. If the caller's policy has a subquery (see visible_products), a product of the sample
-- costs an index lookup, so a smaller sample is taken first. If this sample has no match, no other sample is taken.
create or replace function shop_private.collect_matches(
    p_condition text, p_most bigint, p_products bigint, p_scan_us double precision default null,
    inout share double precision default null, out matched uuid[]
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    unindexed constant boolean := p_condition ~ 'p[.]attributes ->'
        and p_condition !~ E'p[.](attributes @>|brand|product_type|price|sale_price|sku|gtin|mpn)\\M';
    sample constant bigint := greatest(@sample_products@,
        case when unindexed then least(@attribute_sample_most@, p_products / @attribute_sample@) end);
    secured constant boolean := row_security_active('shop.product'::regclass);
    source constant text := shop_private.visible_products();
    first_sample constant bigint := case when source <> 'shop.product' then sample / @first_sample_part@ end;
    reading_us constant double precision := case when unindexed and not secured
        and @attribute_us@ * p_products > @attribute_most_us@ then @attribute_us@ * p_products end;
    size bigint;
    hits bigint;
    sampled bigint;
    least_share double precision;
begin
    if share is null and (p_products > 2 * p_most or reading_us > p_scan_us) then
        foreach size in array array_remove(array[first_sample, sample], null) loop
            execute format('select count(*) filter (where %s), count(*) from %s',
                p_condition, shop_private.sample_of('shop.product p', p_products, size::integer))
            into hits, sampled;
            exit when hits = 0;
        end loop;
        if secured then
            sampled := greatest(sampled, size);
        end if;
        share := hits / greatest(1.0, sampled);
        -- The square root of a count has a standard deviation of 0.5. The lower bound of the count is therefore the
        -- square of sqrt(hits) less three such deviations.
        least_share := greatest(0, sqrt(hits) - @sample_deviation@) ^ 2 / greatest(1, sampled);
        if least_share * p_products > p_most or reading_us > p_scan_us / nullif(least_share, 0) then
            return;
        end if;
    end if;
    matched := shop_private.first_matches(p_condition, p_most + 1, source);
    if cardinality(matched) > p_most then
        matched := null;
        share := greatest(share, (p_most + 1.0) / greatest(1, p_products));
    end if;
end $$;
