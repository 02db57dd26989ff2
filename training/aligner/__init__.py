"""Aligners: silver data, training, calibration."""
