"""Checkpoints, the tagger, windows for long text, the bundled models and the sample."""
