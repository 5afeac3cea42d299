"""Fit, calibrate and export the network; the only room that imports torch."""
