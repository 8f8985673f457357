"""The wheel's layout: everything lies inside ``andi_bench/``, so that no plain word enters site-packages.

``benchmark``, ``datasets``, ``methods``, ``leaderboard``, ``configs`` and ``splits`` become folders of
``andi_bench/rooms/``, which the command puts first on its own path (:mod:`andi_bench.place`). Packages are found here,
not listed.
"""

from setuptools import find_packages, setup

INSIDE = "andi_bench.rooms"
ROOMS = ("benchmark", "datasets", "methods", "leaderboard")
DATA = ("configs", "splits")

packages = find_packages(include=["andi_bench", "andi_bench.*"])
package_dir = {}
for room in ROOMS:
    found = [room, *(f"{room}.{name}" for name in find_packages(room))]
    packages += [f"{INSIDE}.{name}" for name in found]
for room in (*ROOMS, *DATA):
    package_dir[f"{INSIDE}.{room}"] = room
packages += [f"{INSIDE}.{name}" for name in DATA]

setup(
    packages=packages,
    package_dir=package_dir,
    package_data={
        "andi_bench": ["py.typed"],
        f"{INSIDE}.configs": ["**/*.yaml"],
        f"{INSIDE}.splits": ["**/*.csv", "*.md"],
        f"{INSIDE}.benchmark.conformance": ["*.json"],
        f"{INSIDE}.leaderboard.statistics": ["*.json"],
        f"{INSIDE}.leaderboard.exports.page": ["templates/*"],
        f"{INSIDE}.leaderboard.exports.report": ["templates/*"],
    },
)
