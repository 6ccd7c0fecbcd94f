-- Returns the mean F1 that matching with p_thresholds reaches on one half of the groups of match_posting (see
-- sample_groups). If p_held_out is true, this is the held-out half, otherwise the half that is used for fitting. The
-- mean is taken over the products. p_thresholds lists the thresholds of phash, image, title and trigram, in this order;
-- a null threshold means that the signal is not used.
create or replace function shop_private.trial_f1(p_thresholds double precision[], p_held_out boolean)
returns double precision
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
begin
    return (
        select avg(2.0 * (1 + coalesce(t.hits, 0)) / (p.same + 1 + coalesce(t.found, 0)))
        from pg_temp.match_posting p left join (
            select t.product_id, count(*) as found, count(*) filter (where t.is_same) as hits
            from pg_temp.match_trial t
            where shop_private.match_score(t.phash_distance, t.image_distance, t.title_distance, t.trigram_similarity,
                t.title_length, p_thresholds[1], p_thresholds[2], p_thresholds[3], p_thresholds[4]) >= 1
            group by t.product_id) t on t.product_id = p.product_id
        where p.held_out = p_held_out);
end $$;
