"""How good search is, measured in the database: judged queries, each leg and all together, kept as history.

judgements.py (in and out) -> measure.py (through shop.search) -> history.py (kept, compared)
metrics.py and fusion.py are arithmetic; fitting.py finds the weights of the legs.
"""
