"""What coins cost: readings of price providers, and the rates that the shop takes from them."""
