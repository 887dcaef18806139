"""A deployment: what registrations become (steps), their order, and their execution."""
