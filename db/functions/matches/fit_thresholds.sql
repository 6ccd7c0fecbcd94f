-- Tries thresholds near p_thresholds and returns those with the best F1 on the groups that are used for fitting.
-- p_thresholds lists the thresholds of phash, image, title and trigram, in this order. A null threshold stays null, and
-- its distance is not used. The function varies one threshold after another, first in large steps, then in small steps.
create or replace function shop_private.fit_thresholds(p_thresholds double precision[])
returns double precision[]
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    best double precision[] := p_thresholds;
    best_f1 double precision := shop_private.trial_f1(p_thresholds, false);
    step double precision;
    centre double precision;
    trial double precision[];
    f1 double precision;
begin
    foreach step in array array[1.26, 1.06] loop
        for i in 1..4 loop
            centre := best[i];
            continue when centre is null;
            for n in -4..4 loop
                trial := best;
                trial[i] := centre * step ^ n;
                f1 := shop_private.trial_f1(trial, false);
                if f1 > best_f1 then
                    best := trial;
                    best_f1 := f1;
                end if;
            end loop;
        end loop;
    end loop;
    return best;
end $$;
