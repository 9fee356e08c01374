"""The page on which a payment is made; its address is all that one needs to pay."""
