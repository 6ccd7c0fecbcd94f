"""Defines the constants of facets and of lists without a search (see constants.py)."""

from db.functions.constant import Constant

BROWSING = (
    Constant(
        "group_list_read",
        1000,
        "products",
        "products read for a page of groups; if they have too few groups, all products are read",
    ),
    Constant("signal_state_products", 50, "products", "number of products for which signal_state reads the signals"),
    Constant("max_facet_fields", 20, "fields", "largest number of fields of a call; a search page shows fewer fields"),
    Constant("max_facet_values", 1000, "values", "largest value of limit_values"),
    Constant("max_facet_buckets", 100, "ranges", "largest number of ranges of a numeric field"),
    Constant(
        "facets_exact_products", 100_000, "products", "if more products match, a sample of the products is counted"
    ),
    Constant(
        "facets_sample_products", 20_000, "products", "size of the sample; its counts are scaled up to all products"
    ),
)
