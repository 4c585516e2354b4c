"""Images: decode a photo, show it to a network, encode pictures for pages and files."""
