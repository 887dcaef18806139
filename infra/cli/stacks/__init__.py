"""Verbs on the stacks of sites, on the embedded engine or the Pulumi CLI; `options` is what they share."""
