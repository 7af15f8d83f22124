"""Learning problems: batches, loss and score of each; a task knows no model."""
