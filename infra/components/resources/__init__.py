"""Classes of the package `gigasite` for programs, made from the provider's resource types."""
