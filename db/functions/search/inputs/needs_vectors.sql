-- Returns whether a request needs the vectors of its query. A query that is only a text needs no vectors if
-- image_weight and title_weight are 0, and neither min_similarity nor max_gap is set. These two options compare images
-- with the vector of the query. The function needs no SET clause, because it runs under the search_path of its callers.
create or replace function shop_private.needs_vectors(p_request shop_private.search_request)
returns boolean
language sql immutable as $$
    select p_request.query is null or num_nonnulls(p_request.image, p_request.inputs, p_request.min_similarity,
        p_request.max_gap) > 0 or (p_request.image_weight = 0 and p_request.title_weight = 0) is not true
$$;
