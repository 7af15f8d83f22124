"""Frozen values that flow through dlbench; no file, no process, no torch."""
