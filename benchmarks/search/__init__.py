"""Benchmarks of the cost and recall of search, on a generated catalog whose right answers are known.

data.py          the catalog and the queries: clusters, categories, prices, titles; seeded
load.py          the catalog in a Windowshop database of its own, kept for the next run
timing.py        strategies asked in turn; recall, short results, p50 / p95 / p99
postgres.py      strategies in PostgreSQL: forced plans, the planner's own choice, shop.search
peers.py         hnswlib, faiss and LanceDB on the same vectors, filters and queries
unfiltered.py filtered.py hybrid.py growth.py    one benchmark each
chart.py         latency against the share of products that match, drawn from the kept figures
"""
