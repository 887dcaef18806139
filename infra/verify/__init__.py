"""Checks of a site's machines: which ones, how they are reached, what is written down; a pytest plugin."""
