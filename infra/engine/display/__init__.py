"""Progress, differences and events, as text and as JSON."""
