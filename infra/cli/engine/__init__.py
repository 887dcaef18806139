"""Verbs on any Pulumi project in Python: `gigasite engine VERB`; `verbs` is their table."""
