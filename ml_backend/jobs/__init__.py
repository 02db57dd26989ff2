"""The training queue, and what a training job does."""
