"""The shop in figures, for staff: what was sold, what needs a hand, and the forms to lend it."""
