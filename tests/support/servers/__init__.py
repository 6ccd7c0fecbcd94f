"""Runs further database servers beside the one of the test run, and a network that fails."""
