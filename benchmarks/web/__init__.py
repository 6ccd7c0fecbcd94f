"""Measures the web service: the time of a request, the throughput, and the answers under overload."""
