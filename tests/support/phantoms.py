"""The built-in phantoms, as they are known; their configuration files are held against these."""

from datasets.phantom.recipe import PhantomConfig, SplitCounts, SplitSeeds

NOBODY = SplitCounts()
PHANTOM = PhantomConfig()
"""Data set ``phantom``: tumours; 40 training, 20 validation and 60 test subjects, 4 and 10 of them lesion-free."""
PHANTOM_QUICK = PhantomConfig(
    counts=SplitCounts(train=24, val=6, test=10),
    lesion_free=SplitCounts(val=1, test=2),
    seeds=SplitSeeds(test=13),
    ranks=False,
)
"""Data set ``phantom-quick``: the first training and validation subjects of ``phantom``, other test subjects."""
PHANTOM_MS = PhantomConfig(
    kind="ms", scanner="b", counts=SplitCounts(val=16, test=50), lesion_free=NOBODY
)
"""Data set ``phantom-ms``: many plaques, another scanner; detectors are trained on ``phantom``."""
PHANTOM_SMALL = PhantomConfig(kind="small", counts=SplitCounts(val=20, test=60))
"""Data set ``phantom-small``: small lesions of six kinds; detectors are trained on ``phantom``."""
PHANTOM_SECOND = PhantomConfig(counts=SplitCounts(val=20, test=60), seeds=SplitSeeds(test=20261127))
"""Data set ``phantom-second``: as ``phantom``, test subjects of a second seed; detectors are trained on ``phantom``."""
PHANTOM_HEALTHY = PhantomConfig(counts=SplitCounts(train=20), lesion_free=SplitCounts(train=20))
"""Data set ``phantom-healthy``: twenty people without a lesion, to learn from."""
PHANTOMS = {
    "phantom": PHANTOM,
    "phantom-quick": PHANTOM_QUICK,
    "phantom-ms": PHANTOM_MS,
    "phantom-small": PHANTOM_SMALL,
    "phantom-second": PHANTOM_SECOND,
    "phantom-healthy": PHANTOM_HEALTHY,
}
