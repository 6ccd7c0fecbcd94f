-- Lists the queries that returned no product, according to the search events that the shop reported or the page
-- recorded.
create or replace view shop.no_result_queries with (security_invoker = true) as
select e.query, e.catalog, count(*) as searches, count(distinct e.visitor) as visitors, max(e.at) as last_at
from shop.event e
where e.kind = 'search' and e.results = 0 and e.query is not null
group by e.query, e.catalog
order by count(*) desc, max(e.at) desc;
comment on column shop.no_result_queries.query is 'text of the query';
comment on column shop.no_result_queries.catalog is 'the catalog that was searched';
comment on column shop.no_result_queries.searches is 'number of searches without a result';
comment on column shop.no_result_queries.visitors is 'number of visitors; a visitor of the page counts once a day';
comment on column shop.no_result_queries.last_at is 'when the last of these searches was reported';
