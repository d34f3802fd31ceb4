"""Campaigns that run longer than the test suite: `make soak`."""
