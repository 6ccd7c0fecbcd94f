"""Manages the life of a model (coverage, indexes, trial, promotion, rollback) and the logins of a site, and checks
parts of the site, such as the gateway."""
