"""Migrations that a shop at work survives: MySQL itself is asked whether a statement locks."""
