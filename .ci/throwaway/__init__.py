"""Throw-away MySQL and Redis servers: local processes, Docker containers, Debian's packages."""
