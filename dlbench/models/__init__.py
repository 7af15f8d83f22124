"""Shelf of architecture families, one file each; a file that starts with `_` is a shared part."""
