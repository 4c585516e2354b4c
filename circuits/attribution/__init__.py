"""Attribution: how much of a unit's value each channel of the layer below accounts for."""
