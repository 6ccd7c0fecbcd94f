"""Defines the commands for the logins, webhooks, watches, rules, signals and synonyms of a site, and `what-if`."""
