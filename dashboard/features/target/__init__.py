"""What is explained: the question, predictions, search."""
