"""Products from a spreadsheet: all of a file or nothing of it."""
