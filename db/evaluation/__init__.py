"""How good search is, measured in the database: judged queries, each leg alone and all together, stored as history.

run.py is one evaluation: judgements.py (read) -> measure.py (through shop.search) -> history.py (stored, compared)
metrics.py and fusion.py are arithmetic; fitting.py finds the weights of the legs.
"""
