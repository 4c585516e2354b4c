"""The network that the page is about, and the choice of another one."""
