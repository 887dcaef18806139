"""Diagrams of a site as SVG, from its plan: racks, wiring, tiers, cable routes; labels and order of work."""
