"""Words and their borders, script normalisation."""
