-- Returns the temperature at which the tags in pg_temp.tag_similarity are most likely. Held-out products are not used.
--
-- The slope of the log likelihood over the scale 1/temperature is the mean of (similarity of the true label -
-- similarity expected under the softmax). The slope only falls as the scale grows, so bisection finds where the slope
-- is 0.
create or replace function shop_private.fit_temperature()
returns double precision
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    lowest double precision := 0.003;  -- at a lower temperature exp() would underflow
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
