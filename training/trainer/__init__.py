"""The training loop, its settings and losses, model cards."""
