-- Collects the products that meet p_condition, a condition on p (shop.product), if at most p_most products meet it.
-- Otherwise `matched` is null. p_products is the number of all products, or an estimate of this number.
--
-- The function stops collecting after p_most + 1 products. The function collects nothing if a sample of random pages
-- shows, with a margin of three standard deviations, that more than p_most products match. The sample is taken only if
-- p_products is more than twice p_most. If the condition only compares attributes, no index finds the matches, so
-- collecting may read the whole table. The sample is then larger: one product in @attribute_sample@, but at most
-- @attribute_sample_most@ products. After a sample, `share` is the fraction of the sample that meets the condition. If
-- the caller passes a known fraction as `share`, no sample is taken. Under row level security, `share` is the fraction
-- of the visible products in the sample.
create or replace function shop_private.collect_matches(
    p_condition text, p_most bigint, p_products bigint, inout share double precision default null, out matched uuid[]
)
language plpgsql stable set search_path = pg_catalog, pg_temp set jit = off as $$
declare
    sample constant bigint := greatest(@sample_products@,
        case when p_condition ~ 'p[.]attributes ->'
                and p_condition !~ 'p[.](attributes @>|brand|product_type|price|sale_price|sku|gtin|mpn)\M'
            then least(@attribute_sample_most@, p_products / @attribute_sample@) end);
    hits bigint;
    sampled bigint;
begin
    if share is null and p_products > 2 * p_most then
        execute format('select count(*) filter (where %s), count(*) from %s',
            p_condition, shop_private.sample_of('shop.product p', p_products, sample::integer))
        into hits, sampled;
        share := hits / greatest(1.0, sampled);
        if row_security_active('shop.product'::regclass) then
            sampled := greatest(sampled, sample);  -- about the size of the sample with hidden products
        end if;
        -- The square root of a count has a standard deviation of 0.5. The bound is the square of this figure: the
        -- square root of `hits`, less three such deviations.
        if greatest(0, sqrt(hits) - @sample_deviation@) ^ 2 / greatest(1, sampled) * p_products > p_most then
            return;
        end if;
    end if;
    matched := shop_private.first_matches(p_condition, p_most + 1);
    matched := case when cardinality(matched) <= p_most then matched end;
end $$;
