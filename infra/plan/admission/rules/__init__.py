"""One module per kind of limit."""
