-- Returns the vector of a watch: that of its text or of its image, or the mean direction of both.
create or replace function shop_private.watch_mean(p_text @vector@.halfvec, p_image @vector@.halfvec)
returns @vector@.halfvec
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select case when num_nonnulls(p_text, p_image) = 2
        then @vector@.l2_normalize(
            @vector@.l2_normalize(p_text) operator(@vector@.+) @vector@.l2_normalize(p_image))
        else coalesce(p_text, p_image) end
$$;
