"""How good the circuit is: scores beside controls."""
