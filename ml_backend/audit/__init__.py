"""Estimate the quality of what nobody reviews from a random sample."""
