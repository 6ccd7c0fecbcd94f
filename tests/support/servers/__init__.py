"""Runs further database servers beside the one of the test run."""
