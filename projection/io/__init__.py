"""Corpus readers, records as JSON, files and folders that appear whole or not at all."""
