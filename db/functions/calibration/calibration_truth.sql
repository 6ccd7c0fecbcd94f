-- The true k nearest products of each query among those that meet the condition, each list as text; the asking product
-- itself is left out.
create or replace function shop_private.calibration_truth(
    p_asked @vector@.halfvec[], p_asker uuid[], p_condition text, p_k integer, p_table regclass
)
returns text[]
language plpgsql stable set search_path = pg_catalog, pg_temp as $$
declare
    truth text[] := '{}';
    nearest uuid[];
    n integer;
begin
    for n in 1..cardinality(p_asked) loop
        nearest := (shop_private.exact_leg('image', p_asked[n], p_condition, null, p_k + 1, 1, p_table)).product_ids;
        if p_asker[n] is not null then
            nearest := array_remove(nearest, p_asker[n]);
        end if;
        truth := truth || coalesce(nearest[:p_k], '{}')::text;
    end loop;
    return truth;
end $$;
