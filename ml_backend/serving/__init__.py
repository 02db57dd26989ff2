"""The model store, and the engine that answers with the active model."""
