"""Contains the page for staff at /staff: queries to improve, synonyms, rules, quarantine and models."""
