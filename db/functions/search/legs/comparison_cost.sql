-- Returns the cost of comparing p_matches products with a query, expressed as a number of candidates of an index scan.
-- p_condition is the condition on p (shop.product) that the products meet. If p_matched, the list of these products, is
-- null, they must be collected first, which counts too. If the condition compares an attribute, this reads every
-- product.
create or replace function shop_private.comparison_cost(
    p_condition text, p_matches double precision, p_matched uuid[], p_settings shop_private.search_settings
)
returns double precision
language plpgsql immutable parallel safe as $$
begin
    return (p_settings.exact_us_per_row * p_matches * case when p_matched is null then @collect_cost_factor@ else 1 end
        + case when p_matched is null and strpos(p_condition, 'p.attributes ->') > 0
            then @attribute_us@ * p_settings.products else 0 end) / p_settings.hnsw_us_per_candidate;
end $$;
