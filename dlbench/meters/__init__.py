"""Shelf of meters: each measures one thing over a region of steps."""
