-- Runs a vector leg (p_part: image or title) of a search. If at most exact_limit of p_settings matches were collected,
-- the function compares all of them. Otherwise vector_leg, which describes the parameters, chooses a route.
create or replace function shop_private.search_leg(
    p_part text, p_vector @vector@.halfvec, p_starts @vector@.halfvec[], p_condition text, p_k integer,
    p_depth integer, p_route text, p_share double precision, p_filtered boolean,
    p_settings shop_private.search_settings, inout p_matched uuid[], out leg shop_private.leg
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    found record;
begin
    if cardinality(p_matched) <= p_settings.exact_limit then
        leg := shop_private.exact_leg(p_part, p_vector, p_condition, p_matched, p_depth,
            case p_part when 'image' then p_settings.images / greatest(1.0, p_settings.products) else 1 end,
            case p_part when 'image' then p_settings.image_table else p_settings.title_table end);
        return;
    end if;
    found := shop_private.vector_leg(p_part, p_vector, p_starts, p_condition, p_k, p_depth, p_route, p_share,
        p_filtered, p_settings, p_matched);
    p_matched := found.p_matched;
    leg := found.leg;
end $$;
