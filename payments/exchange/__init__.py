"""Coins bought with the wallet's money, settled at an exchange in calls of $10 and more."""
