"""How the built-in network was trained and its pictures made."""
