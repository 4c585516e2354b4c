"""The graph of the circuit."""
