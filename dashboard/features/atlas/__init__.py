"""The atlas: its classes, what each is made of, and maps of its units."""
