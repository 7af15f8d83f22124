"""Examples: how each dataset is read or generated; a dataset knows no task and no tensor."""
