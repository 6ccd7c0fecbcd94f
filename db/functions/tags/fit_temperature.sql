-- Returns the temperature, from 0.003 to 10, at which the known tags of the products in pg_temp.tag_similarity are most
-- likely. Held-out products are not used.
--
-- The function looks for the best scale; the temperature is 1 / scale. The slope of the log likelihood over the scale
-- is a mean over the products: the similarity of the true label, minus the similarity expected under the softmax. A
-- larger scale has a smaller slope, so bisection finds the scale at which the slope is 0.
create or replace function shop_private.fit_temperature()
returns double precision
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    lowest double precision := 0.003;  -- exp() would underflow at a lower temperature
    highest double precision := 10;
    temperature double precision;
    slope double precision;
begin
    for step in 1..25 loop
        temperature := sqrt(lowest * highest);
        select avg(p.actual - p.expected) into slope from (
            select sum(s.below) filter (where s.is_true) as actual,
                sum(s.below * exp(s.below / temperature)) / sum(exp(s.below / temperature)) as expected
            from pg_temp.tag_similarity s where not s.held_out group by s.product_id) p;
        if slope > 0 then highest := temperature; else lowest := temperature; end if;
    end loop;
    return temperature;
end $$;
