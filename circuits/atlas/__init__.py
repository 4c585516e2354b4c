"""The atlas: what every class is made of and what every unit is for, over a folder of photos."""
