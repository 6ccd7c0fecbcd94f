-- Shows the effect of the given changes on the searches of a suite of judged queries, and leaves the shop as it is.
--
--   select query, before, after, ndcg_before, ndcg_after from shop.what_if(
--       '[{"synonym": {"terms": ["sofa", "couch"]}}, {"signal": {"name": "stock", "weight": 0.3}}]', 'default');
--
-- `changes` is an array of objects, each with one of the keys rule, remove_rule, synonym, remove_synonym, weights,
-- signal and products. docs/relevance.md describes them. The function searches with the queries of `suite` in
-- shop.judgement (see suite_queries) before and after the changes. The first row has no query. It counts all queries
-- (`queries`), those with a relevant product (`judged`) and those whose first k products change (`changed`). It also
-- has the mean nDCG@10 and recall@k of the queries with a relevant product, as `windowshop evaluate` measures them.
-- Then follows a row for each query whose first k products change, the greatest loss of nDCG first. `before` and
-- `after` are the SKUs of the first page; `entered`, `gone` and `moved` say which SKUs came, went or have another
-- place.
--
-- The changes are made in rounds. A round is a subtransaction that is always rolled back. If a session has waited for
-- one of the changed rows for 200 ms, the function finishes its present search or step of the changes, and the round
-- ends. The function lets the session go first. In the next round, it makes the changes again and continues with the
-- next query. So the session waits half a second at most, unless that search or step takes more than 300 ms. All pages
-- in `after` show the changes, but each page shows the products as they were when it was searched. The function itself
-- waits half a second at most for a lock, and then tries again a few times. Only the role app may call the function, on
-- the primary.
create or replace function shop.what_if(changes jsonb, suite text default 'default', k integer default 10)
returns table (
    query text, catalog text, before text[], after text[], entered text[], gone text[], moved text[],
    ndcg_before double precision, ndcg_after double precision, recall_before double precision,
    recall_after double precision, queries integer, judged integer, changed integer
)
language plpgsql volatile rows 50
set search_path = pg_catalog, pg_temp set lock_timeout = '500ms' set client_min_messages = warning as $$
#variable_conflict use_column
declare
    suite_name constant text := suite;
    page_size constant integer := k;
    depth constant integer := greatest(k, 10);
    asked jsonb[];  -- the rows of suite_queries
    entry jsonb;  -- one of them
    pages jsonb[];
    new_pages jsonb[] := '{}';
    change jsonb;
    products record;  -- the result of change_products
    held uuid;  -- a product that another session held in the last round
    count_before integer;
    idle integer := 0;  -- rounds since the last result; a wait for a lock counts twice
    written bigint := 0;  -- rows that all rounds have written
    -- the transaction ids under which this session has written before the call
    own constant xid[] := array(select l.transactionid from pg_locks l
        where l.pid = pg_backend_pid() and l.locktype = 'transactionid' and l.granted);
    busy text;  -- why the last round ended
begin
    perform shop_private.check_what_if(changes, suite_name, page_size);
    asked := array(select to_jsonb(q) from shop_private.suite_queries(suite_name) q);
    perform shop_private.require_signals();
    perform shop_private.encode_texts(shop_private.new_texts('[]', asked));
    foreach entry in array asked loop
        pages := pages || shop_private.suite_page(entry, depth);
    end loop;
    perform shop_private.encode_texts(shop_private.new_texts(changes, asked));
    while cardinality(new_pages) < cardinality(asked) loop
        count_before := cardinality(new_pages);
        written := written + jsonb_array_length(changes);
        begin
            -- waits for the held product before the changes lock anything
            perform from shop.product p where p.product_id = held for no key update;
            for change in select c from jsonb_array_elements(changes) c where not c ? 'products' loop
                perform shop_private.apply_change(change);
            end loop;
            perform shop_private.require_signals();
            select c.* into products from shop_private.change_products(changes, own) c;
            written := written + products.changed;
            held := products.held;
            if products.done then
                while cardinality(new_pages) < cardinality(asked) loop
                    new_pages := new_pages || shop_private.suite_page(asked[cardinality(new_pages) + 1], depth);
                    exit when shop_private.somebody_waits(own);
                end loop;
            end if;
            raise exception using errcode = 'UNDO1', message = 'the changes are rolled back';
        exception when sqlstate 'UNDO1' then
            idle := case when cardinality(new_pages) > count_before then 0 else idle + 1 end;
            busy := 'other sessions change the same products';
        when lock_not_available then
            idle := idle + 2;  -- the wait took as long as two other rounds
            busy := 'for half a second, another session has held a lock that the changes need';
        end;
        exit when cardinality(new_pages) = cardinality(asked);
        if idle >= @what_if_tries@ or written > @what_if_writes@ then
            raise exception using errcode = '55P03', message = busy,
                hint = 'Try again later, or change fewer products.';
        end if;
        perform pg_sleep(0.1);  -- the sessions that waited go first
    end loop;
    return query select r.* from shop_private.compared_pages(asked, pages, new_pages, page_size) r;
end $$;
