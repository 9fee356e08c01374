"""Prices as they change, streamed the way that live stock is (`shop/flash_sales/live`)."""
