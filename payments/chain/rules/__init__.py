"""Pure rules of an Ethereum chain: no Django, no network. Amounts are integers in base units."""
