"""How the bundled models are built."""
