"""Paying out of the wallet: at once, with nobody outside to ask."""
