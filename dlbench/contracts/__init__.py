"""What everything on a shelf must look like, and what Source and Executor promise; a file for each.

Modules on shelves are checked against these by `tests/contracts/test_<shelf>.py`, over every name.
"""
