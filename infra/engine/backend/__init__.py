"""The file backend: checkpoints, journal, locks, history and secrets."""
