"""Measures the time and the recall of searches in generated catalogs. The right answers are known.

data.py          generates the catalog and the queries from a seed
titles.py        generates titles and query texts
load.py          loads the catalog into a Windowshop database that is kept for the next run
timing.py        runs strategies in turns, and computes recall, short results and p50 / p95 / p99
postgres.py      has the strategies in PostgreSQL: forced plans, the planner's own choice, shop.search
peers.py         has hnswlib, faiss and LanceDB on the same vectors, filters and queries
unfiltered.py filtered.py hybrid.py growth.py pages.py throughput.py    have one benchmark each
clusters.py clusters_load.py    generate and load a harder catalog, of separate clusters
policies/        measures searches under row policies, against the same searches with the condition as a filter
labels/          measures searches in one product type with and without label indexes
bits/            measures searches through an index over bits, against an index over vectors
writes/          measures how fast vectors get into tables and indexes, and how changes of the catalog affect a search
mixed.py         measures searches by mixes of products and by texts, with and without filters, on the harder catalog
chart.py         draws latency against the share of products that match, from the kept figures
command.py       runs these benchmarks
against.py cells_against.py    compare two versions of Windowshop
"""
