"""What was sold, in figures that are kept: no page counts orders while somebody waits."""
