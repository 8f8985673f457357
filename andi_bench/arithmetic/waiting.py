"""How a thread waits for the others of its process: awake for a moment, then asleep.

It has to be settled before PyTorch is loaded: OpenMP reads it once, from the environment.
"""

from __future__ import annotations

from collections.abc import MutableMapping

POLICY = "OMP_WAIT_POLICY"
SPIN_COUNT = "GOMP_SPINCOUNT"
TURNS = 3000
"""How often a thread looks for new work before it sleeps: well below a millisecond."""


def wait_briefly(environment: MutableMapping[str, str]) -> None:
    """Settle how threads wait, unless the user has.

    Threads that stay awake for as long as OpenMP lets them make two busy programs on one machine ten times slower, not
    two. Threads that sleep at once gain nothing from each other: waking takes longer than the small operations of our
    networks. docs/speed.md has the figures.

    Parameters
    ----------
    environment : mapping of str to str
        Of this process, or of one to be started. Changed in place; left alone where it names either of the two settings.
    """
    if POLICY in environment or SPIN_COUNT in environment:
        return
    # GNU's OpenMP, which PyTorch's packages bring, goes by the count; another one by the policy.
    environment[POLICY] = "PASSIVE"
    environment[SPIN_COUNT] = str(TURNS)
