-- Returns whether the three indexes that exact_matches and brand_words read exist and are valid. A large first load can
-- defer these indexes. The function needs no SET clause, because it runs under the search_path of its callers.
create or replace function shop_private.exact_indexes_ready()
returns boolean
language plpgsql stable as $$
begin
    return count(*) = 3 from pg_index i
        where i.indexrelid in (to_regclass('shop.product_identifier_idx'), to_regclass('shop.product_brand_key_idx'),
                to_regclass('shop.product_keywords_idx')) and i.indisvalid;
end $$;
