"""What anybody may see of the shop at a glance. Reads only, and no person is in it."""
