-- Lists query texts by the number of times that they were encoded. A search whose vector comes from the cache is not
-- counted, because a search writes nothing. A text is therefore counted at its first search, and again after the cache
-- has dropped its vector.
create or replace view shop.popular_queries as
select e.query, m.name as model, e.asked, e.created_at as first_asked_at
from shop_private.query_embedding e
join shop.model m on m.model_id = e.model_id
where e.query is not null
order by e.asked desc, e.created_at desc;
comment on column shop.popular_queries.query is 'text of the query';
comment on column shop.popular_queries.model is 'the model that encoded the text';
comment on column shop.popular_queries.asked is 'number of times the text was encoded';
comment on column shop.popular_queries.first_asked_at is 'when the text was first encoded';
