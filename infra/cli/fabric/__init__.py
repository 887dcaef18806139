"""Verbs on fabrics: `gigasite fabric VERB SITE`; `verbs` is their table."""
