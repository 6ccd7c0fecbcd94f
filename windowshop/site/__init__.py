"""Defines the commands for the logins and the webhooks of a site."""
