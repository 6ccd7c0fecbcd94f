"""Manages the life of a model (coverage, indexes, trial, promotion, rollback), logins, and checks of the site."""
