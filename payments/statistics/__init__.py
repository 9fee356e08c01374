"""How orders were paid and what went back, in figures that are kept (see `shop/statistics`)."""
