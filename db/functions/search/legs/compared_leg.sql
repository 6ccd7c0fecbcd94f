-- Builds a vector leg (a ranking by image or title) by comparing the matches with the query. A match is a product that
-- meets p_condition, a condition on p (shop.product). p_matched lists the matches, or is null if the matches were not
-- collected. If the matches were collected or p_most is null, all matches are compared, however many they are.
-- Otherwise at most p_most matches are collected and compared. If these are all matches, p_matched returns them. If
-- not, `partial` of the leg is true, and the leg also keeps the products of p_tried, the leg that an index scan has
-- found before.
--
-- exact_leg explains p_part, p_depth, p_rows_per_product and p_table. The rows and the time of p_tried are added to the
-- leg. If all matches were compared, the leg has the reason of p_tried.
create or replace function shop_private.compared_leg(
    p_part text, p_vector @vector@.halfvec, p_condition text, p_most bigint, p_depth integer,
    p_rows_per_product double precision, p_table regclass, p_tried shop_private.leg,
    inout p_matched uuid[], out leg shop_private.leg
)
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    compared uuid[] := p_matched;
    merged shop_private.leg;
begin
    if p_matched is null and p_most is not null then
        compared := shop_private.first_matches(p_condition, p_most + 1);
        p_matched := case when cardinality(compared) <= p_most then compared end;
        compared := compared[:p_most];
    end if;
    leg := shop_private.exact_leg(p_part, p_vector, p_condition, compared, p_depth, p_rows_per_product, p_table);
    leg.partial := p_matched is null and p_most is not null;
    if leg.partial then
        merged := shop_private.leg_from_candidates(array(
            select (l.product_id, l.position, l.distance)::shop_private.candidate
            from unnest(leg.product_ids || p_tried.product_ids, leg.positions || p_tried.positions,
                leg.measures || p_tried.measures) l(product_id, position, distance)), p_depth);
        leg.product_ids := merged.product_ids;
        leg.positions := merged.positions;
        leg.measures := merged.measures;
    end if;
    if p_tried.route is not null then
        leg.reason := case when leg.partial
            then format('%s: only %s of the products that match were compared', p_part, p_most)
            else p_tried.reason end;
        leg.rows_examined := leg.rows_examined + p_tried.rows_examined;
        leg.ms := leg.ms + p_tried.ms;
    end if;
end $$;
