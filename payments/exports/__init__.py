"""What staff take away as CSV files: made by a worker, piece by piece, and kept for a day."""
