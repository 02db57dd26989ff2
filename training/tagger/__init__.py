"""Taggers: presets, the recipe runner, fine-tuning, distillation, seeds."""
