"""Projected entities scored against gold on both sides."""
