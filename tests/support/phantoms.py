"""The built-in phantoms, as they are known; their configuration files are held against these."""

from datasets.phantom.recipe import PhantomConfig, SplitCounts

PHANTOM = PhantomConfig()
"""Data set ``phantom``: tumours; 24 training, 6 validation and 10 test subjects, 2 of them lesion-free."""
PHANTOM_MS = PhantomConfig(
    kind="ms", scanner="b", counts=SplitCounts(val=4, test=8), lesion_free=SplitCounts()
)
"""Data set ``phantom-ms``: small plaques, another scanner; detectors are trained on ``phantom``."""
