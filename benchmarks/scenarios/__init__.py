"""What is measured, by name. A module is imported when it is asked for."""

from benchmarks.load import Scenario


def all() -> dict[str, Scenario]:
    """Every scenario, in the order of `make bench`."""
    from benchmarks.scenarios import coins, flash, orders, oscar, people, reads

    rooms = (reads, people, orders, flash, coins, oscar)
    return {name: each for room in rooms for name, each in room.SCENARIOS.items()}
