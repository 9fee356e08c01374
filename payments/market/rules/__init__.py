"""Coins, prices, budgets and the simulated feed. Pure."""
