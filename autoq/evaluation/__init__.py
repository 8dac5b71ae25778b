"""Accuracy and latency of one model on one device."""
