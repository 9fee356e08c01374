"""The production shape as plain processes on the loopback: docker compose without containers."""
