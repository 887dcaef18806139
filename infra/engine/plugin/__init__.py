"""Provider plugins: finding, starting and calling them."""
