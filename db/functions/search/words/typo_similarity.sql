-- Returns the least word similarity at which a misspelt word finds a title, if there are p_products products. Above
-- 100,000 products, this similarity grows with their number, because more titles resemble a word by chance. The
-- function needs no SET clause, because it runs under the search_path of its callers.
create or replace function shop_private.typo_similarity(p_products bigint)
returns double precision
language plpgsql immutable parallel safe as $$
begin
    return least(0.9, @typo_similarity@ + 0.1 * greatest(0, log(greatest(1, p_products) / 100000.0)));
end $$;
