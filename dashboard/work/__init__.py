"""Work in the background: the queue, what is asked of it, and its results."""
