"""Exports, runs and IOB2 files as training rows; splits and contamination."""
