"""How good is a circuit? What its units and edges keep of the target, beside controls of the same shape."""
