"""From a suite file to jobs: reading, checking, expanding."""
