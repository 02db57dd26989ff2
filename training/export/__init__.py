"""Reviewed sentences as an export folder, and what was left out of it."""
