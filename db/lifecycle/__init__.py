"""The life of a model beside others: watched while it is filled, judged, promoted, taken back, retired."""
