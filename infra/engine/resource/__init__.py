"""Resources, their values and names, and the graph between them."""
