"""Accelerators of stand-ins: a library with NVML's public names over a state file, and faults in it."""
