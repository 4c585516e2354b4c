"""The same job, done by others: the signed share of every channel below, for each unit that a circuit expands."""
