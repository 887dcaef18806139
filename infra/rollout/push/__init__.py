"""Give machines what roles deploy over one connection each, without a task per step."""
