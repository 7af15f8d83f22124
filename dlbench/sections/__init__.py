"""Shelf of the parts of a report; each file builds one section of neutral blocks."""
