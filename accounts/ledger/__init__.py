"""Double entry: who holds what, and every movement of it."""
