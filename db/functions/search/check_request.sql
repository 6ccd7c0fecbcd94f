-- Raises an error if an option of a request has a value that cannot be used, if an option needs another one that is
-- missing, or if two options cannot be combined. The function needs no SET clause, because it runs under the
-- search_path of its callers.
create or replace function shop_private.check_request(p_request shop_private.search_request)
returns void
language plpgsql stable as $$
begin
    if p_request.k is null or p_request.k not between 1 and @max_results@ then
        raise exception using errcode = '22023', message = format('k is %s', coalesce(p_request.k::text, 'null')),
            hint = 'k is a number from 1 to @max_results@. For more results, pass the cursor of the last row as after.';
    end if;
    if p_request.route not in ('exact', 'hnsw') then
        raise exception using errcode = '22023', message = format('there is no route %L', p_request.route),
            hint = 'route is exact, hnsw, or null to let the search choose.';
    end if;
    if least(p_request.image_weight, p_request.title_weight, p_request.keyword_weight) < 0
        or greatest(p_request.image_weight, p_request.title_weight, p_request.keyword_weight) > @max_weight@
    then  -- also for NaN, which sorts above every number
        raise exception using errcode = '22023', message = 'the weight of a leg is not between 0 and @max_weight@',
            hint = 'A leg of weight 0 is not used. For "less like this", give an entry of inputs a negative weight.';
    end if;
    if p_request.min_similarity not between -1 and 1 then  -- NaN sorts above every number
        raise exception using errcode = '22023', message = 'min_similarity is not between -1 and 1',
            hint = 'min_similarity is the lowest cosine similarity of query and image.';
    end if;
    if p_request.max_gap not between 0 and 2 then
        raise exception using errcode = '22023', message = 'max_gap is not between 0 and 2',
            hint = 'max_gap is the largest difference in similarity between the best image and another image.';
    end if;
    if p_request.cut <> 'relevant' then
        raise exception using errcode = '22023', message = format('there is no cut %L', p_request.cut),
            hint = 'cut is relevant, or null to keep every product.';
    end if;
    if p_request.sort is not null then
        perform shop_private.sort_keys(p_request.sort);
    end if;
    if p_request.image_box is not null and p_request.image is null then
        raise exception using errcode = '22023', message = 'image_box needs an image',
            hint = 'image_box is the region of the argument image that is searched.';
    end if;
    if p_request.group_by is not null then
        perform shop_private.group_field(p_request.group_by);
    end if;
    if p_request.diversity not between 0 and 1 then  -- NaN sorts above every number
        raise exception using errcode = '22023', message = 'diversity is not between 0 and 1',
            hint = '0 keeps the ranking; 1 only avoids products that look alike.';
    end if;
    if p_request.sort is not null and p_request.diversity is not null then
        raise exception using errcode = '22023', message = 'sort and diversity cannot be combined',
            hint = 'diversity changes the order of the ranking, and sort replaces this order.';
    end if;
    if p_request.sort is not null and p_request.change is not null then
        raise exception using errcode = '22023', message = 'sort cannot be combined with a change',
            hint = 'A change ranks products, and sort puts them in another order.';
    end if;
    if p_request.rules not in ('off', 'draft')
        or p_request.rules = 'draft' and not pg_has_role('@app@', 'usage')
    then
        raise exception using errcode = '22023', message = format('rules cannot be %L', p_request.rules),
            hint = 'rules is off, draft (for the role app), or null to follow the live rules.';
    end if;
    if p_request.rrf_k not between 1 and @max_rrf_k@ then
        raise exception using errcode = '22023', message = 'rrf_k is not between 1 and @max_rrf_k@',
            hint = 'The usual value of rrf_k is @default_rrf_k@.';
    end if;
    if p_request.change is not null and num_nonnulls(p_request.image, p_request.inputs) = 0 then
        raise exception using errcode = '22023', message = 'a change needs an image or inputs',
            hint = 'change says how the result differs from them. Write a search by a text alone as query.';
    end if;
    if p_request.change is not null and num_nonnulls(p_request.query, p_request.image_weight, p_request.title_weight,
        p_request.keyword_weight, p_request.rrf_k) > 0
    then
        raise exception using errcode = '22023',
            message = 'query, the weights of legs and rrf_k cannot be combined with a change',
            hint = 'A change is ranked by fixed weights. Write all words of the change into change.';
    end if;
end $$;
