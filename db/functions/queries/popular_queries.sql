-- Lists the texts whose vectors are in the cache: texts of queries and their variants with synonyms, and also texts of
-- changes, rules, watches and labels. `asked` counts how often a vector was requested because it was not in the cache.
-- A search that finds the vector in the cache is not counted, because a search writes nothing. If the cache drops the
-- vector of a text, it drops the count of the text too. A role that does not see every product sees no texts, because
-- other roles may have searched for them.
create or replace view shop.popular_queries with (security_barrier = true) as
select e.query, m.name as model, e.asked, e.created_at as first_asked_at
from shop_private.query_embedding e
join shop.model m on m.model_id = e.model_id
where e.query is not null and (select shop_private.sees_every_product())
order by e.asked desc, e.created_at desc;
comment on column shop.popular_queries.query is
    'text of a query, of its variant with synonyms, or of a change, a rule, a watch or a label';
comment on column shop.popular_queries.model is 'the model that encoded the text';
comment on column shop.popular_queries.asked is
    'number of times that the vector of the text was requested because it was not in the cache';
comment on column shop.popular_queries.first_asked_at is 'when the vector of the text was stored in the cache';
