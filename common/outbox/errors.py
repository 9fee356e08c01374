"""What a task may raise to be run again."""


class TryLater(Exception):
    """Not a bug: the world is not ready yet. The message backs off and nothing is alarmed."""
