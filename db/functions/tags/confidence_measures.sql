-- Measures shop.zero_shot with the temperature p_temperature, over the held-out products in pg_temp.tag_similarity. The
-- measures are accuracy, expected calibration error (ece) and mean negative log likelihood (nll).
create or replace function shop_private.confidence_measures(
    p_temperature double precision, out accuracy double precision, out ece double precision, out nll double precision
)
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    with product as (
        select 1 / sum(exp(s.below / p_temperature)) as confidence,
            bool_or(s.is_true and s.below = 0)::integer as is_right,
            ln(sum(exp(s.below / p_temperature))) - sum(s.below) filter (where s.is_true) / p_temperature as nll
        from pg_temp.tag_similarity s where s.held_out group by s.product_id
    ), step as (
        select count(*) as products, avg(p.is_right) as is_right, avg(p.confidence) as confidence,
            sum(p.nll) as nll
        from product p group by least(14, floor(p.confidence * 15))
    )
    select sum(s.products * s.is_right) / sum(s.products),
        sum(s.products * abs(s.is_right - s.confidence)) / sum(s.products), sum(s.nll) / sum(s.products)
    into accuracy, ece, nll from step s;
end $$;
