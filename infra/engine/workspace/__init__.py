"""Pulumi.yaml, Pulumi.STACK.yaml, configuration and import files."""
