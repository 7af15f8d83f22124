"""Running jobs: from a source's entries to their records."""
