"""Views of a plan: summary, differences, export, bill of materials, what fits."""
