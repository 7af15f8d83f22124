"""Shelf of search strategies."""
