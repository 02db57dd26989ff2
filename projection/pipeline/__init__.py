"""From sentence pairs to projected entities and conflicts, in memory or as a run folder."""
