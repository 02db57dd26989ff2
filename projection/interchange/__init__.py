"""Models for other programs: plain transformers, and whatever reads ONNX."""
