"""All units of a layer, and units outside the circuit."""
