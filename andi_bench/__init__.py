"""ANDi Bench's foundation: what every other package stands on; imports third parties only."""

__version__ = "0.1.0"
