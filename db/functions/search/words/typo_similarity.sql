-- Returns the least word similarity of a misspelt word to a title that it finds, for a number of products. More titles
-- of a larger catalog resemble a word by chance. The function has no SET clause, because it runs under the settings of
-- its callers.
create or replace function shop_private.typo_similarity(p_products bigint)
returns double precision
language plpgsql immutable parallel safe as $$
begin
    return least(0.9, @typo_similarity@ + 0.1 * greatest(0, log(greatest(1, p_products) / 100000.0)));
end $$;
