"""Rules that judge the tables: physics, paths, ports, addresses, law."""
