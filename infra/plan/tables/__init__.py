"""Columnar facts: places, power, cooling, fabric, addresses, storage, schedulers."""
