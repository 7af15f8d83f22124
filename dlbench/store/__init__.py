"""What is kept: the folder of job folders, and its mirror in MLflow."""
