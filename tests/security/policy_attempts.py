"""Lists attempts of a tenant's role to learn of products that a row policy hides. Also lists the policies with which
the attempts are made."""

from tests.security.tenants import FIRST, QUERY

BY_TENANT = "create policy tenants on shop.product for select to shop_analyst using (catalog = current_user)"

# Each attempt is a statement of tenant {own} and the number of rows that the statement returns. None stands for any
# number. No row or notice names another tenant or has the product_id of another tenant's product.
Attempts = list[tuple[str, int | None]]

# Reads rows of tables, views and two functions, most of them as whole rows.
TABLES: Attempts = [
    ("select t::text from shop.product t", 3),
    ("select t::text from shop.product_image t", 3),
    ("select t::text from shop.toy_image t", 2),
    ("select t::text from shop.toy_title t", 3),
    ("select t::text from shop.image_vector t", 2),
    ("select t::text from shop.title_vector t", 3),
    ("select t::text from shop.searchable t", 2),
    ("select t::text from shop.searchable_image t", 2),
    ("select t::text from shop.catalog t", 1),
    ("select t::text from shop.quarantine t", 1),
    ("select t::text from shop.coverage t", 1),
    ("select products, searchable, waiting, quarantined, counts_are from shop.coverage where products = 3", 1),
    ("select t::text from shop.model_coverage t where items = 3 and counts_are = 'exact'", 2),
    ("select t::text from shop_private.model_coverage(true) t where items = 3", 2),
    ("select product_id, state, error, host from shop_private.work", 2),
    *(
        (f"select t::text from shop.{table} t", 0)
        for table in (
            "failing_host",
            "common_word",
            "tuning",
            "calibration",
            "judgement",
            "evaluation",
            "evaluation_query",
            "event",
        )
    ),
    ("select host, error from shop_private.fetch_host", 0),
    ("select t::text from shop.model t", 1),
    ("select t::text from shop.watch t", 1),
    ("select t::text from shop.watch_match t", 1),
    ("select t::text from shop.serving_history t", None),
    ("select t::text from shop.deferred_index t", None),
    ("select t::text from shop.synonym t", 1),
    ("select name, source, catalog from shop.signal where catalog is not null", 1),
    ("select t::text from shop.signal_state() t where source is not null", 1),
    ("select prosrc from pg_proc where pronamespace = 'shop_signals'::regnamespace", 2),
]
STATISTICS_OF_THE_PLANNER: Attempts = [
    ("select most_common_vals::text, histogram_bounds::text from pg_stats where schemaname like 'shop%'", None),
    ("select most_common_elems::text from pg_stats where schemaname like 'shop%'", None),
    ("select t::text from pg_stats t where tablename in ('product', 'product_image', 'toy_image', 'work')", 0),
]

ATTEMPTS: Attempts = [
    *TABLES,
    *STATISTICS_OF_THE_PLANNER,
    # Searches
    (f"select t::text from shop.search('{QUERY}', k => 100, catalog => '{{own}}') t", 3),
    (f"select t::text from shop.search('{QUERY}', k => 100, catalog => '{{own}}') t where total = 3", 3),
    (f"select t::text from shop.search('{QUERY}', k => 1, catalog => '{{own}}') t where total_is = 'exact'", 1),
    (f"select t::text from shop.search('{QUERY}', k => 9, catalog => '{{own}}', route => 'exact') t", 3),
    (f"select t::text from shop.search('{QUERY}', k => 9, catalog => '{{own}}', route => 'hnsw') t", 3),
    (f"select 1 from shop.search('{QUERY}', catalog => '{{own}}', route => 'exact') where rows_examined <= 12", 3),
    (f"select 1 from shop.search('{QUERY}', catalog => '{{own}}', route => 'hnsw') where rows_examined <= 12", 3),
    (f"select t::text from shop.search('{QUERY}', k => 100, catalog => '{{own}}', cut => 'relevant') t", 3),
    (
        "select t::text from shop.search('red', catalog => '{own}', filter => '{{\"mpn\": null}}', degrade => true) t",
        0,
    ),
    ("select t::text from shop.search('{other}', catalog => '{own}', image_weight => 0, title_weight => 0) t", 0),
    ("select t::text from shop.search('t08marc', catalog => '{own}', image_weight => 0, title_weight => 0) t", 0),
    ("select t::text from shop.search('{other}-1', catalog => '{own}', image_weight => 0, title_weight => 0) t", None),
    (
        "select t::text from shop.search('{other} works shoes', catalog => '{own}', image_weight => 0, "
        "title_weight => 0) t",
        3,
    ),
    ("select t::text from shop.similar('{own}-1', catalog => '{own}', k => 100) t", 1),
    (f"select step, note from shop.explain_search('{QUERY}', catalog => '{{own}}', sku => '{{own}}-1')", None),
    (f"select 1 from shop.explain_search('{QUERY}', catalog => '{{own}}') where note ~ '1[45][0-9]|of .* products'", 0),
    (f"select 1 from shop.explain_search('{QUERY}', catalog => '{{own}}', cut => 'relevant') where examined > 12", 0),
    # Lists, counts, matches and tags
    ("select t::text from shop.browse(k => 1000, catalog => '{own}') t", 3),
    ("select t::text from shop.browse(k => 1000, catalog => '{own}', sort => 'price') t", 3),
    (f"select t::text from shop.browse(k => 9, catalog => '{{own}}', after => '{FIRST}') t", 3),
    ("select t::text from shop.facets(catalog => '{own}') t", None),
    ("select products from shop.facets(catalog => '{own}') where products > 3", 0),
    (f"select t::text from shop.facets('{QUERY}', catalog => '{{own}}', cut => 'relevant') t", None),
    ("select value from shop.facets(catalog => '{own}', fields => array['attributes.{other}'])", 1),
    ("select t::text from shop.matches('{own}-1', '{own}') t", None),
    ("select t::text from shop.match_products(catalog => '{own}') t", None),
    ("select t::text from shop.submission('{own}') t", None),
    ("select t::text from shop.zero_shot(array['red shoes', 'bags'], catalog => '{own}') t", None),
    # Functions that the public functions call
    ("select t::text from shop_private.coverage() t", 1),
    ("select shop_private.catalog_share('{own}')", 1),
    ("select t::text from shop_private.calibration_figures(1::smallint) t where products is null", 1),
    ("select t::text from shop_private.fitted_numbers(1::smallint) t", 2),
    ("select t::text from shop_private.brand_words('{other} works', '{own}', 'english', array['works']) t", 1),
    ("select t::text from shop_private.calibration_mixed_queries() t", 1),
    ("select * from shop_private.misspelt_words('t08marc', 'english', 1000, 0.1)", 1),
    ("select shop_private.first_matches('true', 100)", 1),
    # Statements that would fail, and so show a value, if they were evaluated for hidden rows
    ("select 1 / (price - 10) from shop.product where catalog <> '{own}'", 0),
    ("select title::integer from shop.product where catalog <> '{own}'", 0),
    ("select uri::integer from shop.product_image where uri !~ '{own}'", 0),
    ("select error::integer from shop_private.work where error !~ '{own}'", 0),
    ("select (detail ->> 'catalog')::integer from shop.tuning where detail ? 'catalog'", 0),
]

# Statements about a product or a catalog of {other}. The answer is the same as for a tenant that does not exist.
PRODUCT_GUESSES = [
    "select shop.product_vector('{other}-1', '{other}')",
    "select shop.product_vector('{other}-1', '{own}')",
    "select t::text from shop.similar('{other}-1', catalog => '{other}') t",
    "select t::text from shop.similar('{other}-1', catalog => '{own}') t",
    "select t::text from shop.search(inputs => '[{{\"sku\": \"{other}-1\"}}]', catalog => '{other}') t",
    "select t::text from shop.search(inputs => '[{{\"sku\": \"{other}-1\"}}]', catalog => '{own}') t",
]
SEARCH_GUESS = f"select t::text from shop.search('{QUERY}', catalog => '{{other}}') t"
SEARCH_GUESSES = [
    SEARCH_GUESS,
    f"select step, note from shop.explain_search('{QUERY}', catalog => '{{other}}')",
    f"select note from shop.explain_search('{QUERY}', catalog => '{{own}}', sku => '{{other}}-1') where step ~ 'sku'",
]
GUESSES = [
    *PRODUCT_GUESSES,
    *SEARCH_GUESSES,
    "select t::text from shop.browse(catalog => '{other}') t",
    "select t::text from shop.facets(catalog => '{other}') t",
    "select t::text from shop.matches('{other}-1', '{other}') t",
    "select t::text from shop.match_products(catalog => '{other}') t",
    "select t::text from shop.zero_shot(array['red shoes', 'bags'], catalog => '{other}') t",
    "select t::text from shop.zero_shot(array['red shoes', 'bags'], catalog => '{own}', "
    "field => 'attributes.{other}') t",
    "select t::text from shop.match_f1('{other}') t",
    "select t::text from shop.submission('{other}') t",
    "select shop_private.keyword_language('{other}')",
    "select shop_private.catalog_condition('{other}')",
    "select shop_private.catalog_share('{other}')",
    "select count(*) from shop.product where catalog = '{other}'",
    "select count(*) from shop.product where product_id = shop.product_id('{other}-1', '{other}')",
    "select count(*) from shop.product_image where product_id = shop.product_id('{other}-1', '{other}')",
    "select count(*) from shop.toy_title where product_id = shop.product_id('{other}-1', '{other}')",
    "select count(*) from shop.image_vector where product_id = shop.product_id('{other}-1', '{other}')",
    "select count(*) from shop_private.work where product_id = shop.product_id('{other}-1', '{other}')",
    "select count(*) from shop.catalog where catalog = '{other}'",
    "select count(*) from shop.quarantine where sku = '{other}-1'",
    "select count(*) from shop.common_word where word = '{other}'",
    "select count(*) from shop.tuning where name = 'zero_shot:attributes.{other}'",
]

# Sets of policies other than BY_TENANT alone. Each set hides the products of all tenants but {own} from {own}.
POLICIES = {
    "a policy of one role": ["create policy mine on shop.product to {own} using (catalog = '{own}')"],
    "a restrictive policy": [
        "create policy everything on shop.product using (true)",
        "create policy mine on shop.product as restrictive for select to {own} using (catalog = '{own}')",
    ],
    "a policy of each command": [
        BY_TENANT,
        "create policy writes on shop.product for update to shop_analyst using (true)",
        "create policy adds on shop.product for insert to shop_analyst with check (true)",
        "create policy others on shop.product for select to shop_app using (true)",
    ],
    "an open policy on images": [BY_TENANT, "create policy images on shop.product_image using (true)"],
    "open policies on vectors": [
        BY_TENANT,
        "create policy images on shop.toy_image for select using (true)",
        "create policy titles on shop.toy_title for select to shop_analyst using (true)",
    ],
    "an expression that is true for every own product": [
        "create policy mine on shop.product using (starts_with(sku, current_user || '-') and price > 0)"
    ],
}
