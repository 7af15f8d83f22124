"""Raised when a change to the worker changes results; part of every job id, so that old results are not reused."""

REVISION = 3
