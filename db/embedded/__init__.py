"""The PostgreSQL server that runs on one machine without an installation."""
