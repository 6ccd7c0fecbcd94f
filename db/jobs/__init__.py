"""Runs the jobs that are neither requests nor encoding: loads of feeds on a schedule, messages of webhooks, the refresh
of suggestions and signals, and the deletion of old rows.
"""
