"""The waiting room of a sale that has one: who came first is let in first, so many a second."""
