"""Shelf: where the folders of jobs are worked."""
