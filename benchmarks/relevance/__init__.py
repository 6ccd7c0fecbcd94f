"""Measures how relevant the results of judged queries are, for concepts that the model has not seen."""
