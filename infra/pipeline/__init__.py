"""The steps of `gigasite up`, and their progress."""
