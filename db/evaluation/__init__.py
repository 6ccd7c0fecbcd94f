"""Measures the quality of search: runs judged queries by each leg alone and by all legs together, and stores the
results. The legs are the rankings by image, by title and by keyword.

run.py runs one evaluation: judgements.py reads the queries, asking.py searches, measure.py measures, and history.py
stores and compares the results. metrics.py and fusion.py contain only arithmetic; fitting.py finds the weights of the
legs. what_if.py runs the queries before and after changes of a shop.
"""
