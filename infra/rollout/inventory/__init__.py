"""Machines of a site by name and group: the roster, patterns, and the facts of a host when asked for."""
