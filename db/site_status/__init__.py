"""Examines a running site for the operator on call: what is wrong, since when, and what repairs it."""
