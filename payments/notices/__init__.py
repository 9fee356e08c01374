"""Mails to the buyer about what became of a payment."""
