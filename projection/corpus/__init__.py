"""Cleaning a parallel corpus before it is projected: what is dropped, and why."""
