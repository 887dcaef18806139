"""A program and a provider that cost next to nothing: what remains is the engine and the SDK."""
