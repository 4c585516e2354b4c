"""Networks: load one, prepare it, find its layers, cut it into segments and run them."""
