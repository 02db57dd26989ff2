"""The HTTP service that Label Studio calls."""
