"""ml_backend."""
