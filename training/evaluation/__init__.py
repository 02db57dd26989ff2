"""Tagging scores, error analysis, reliability."""
