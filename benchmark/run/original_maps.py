"""Maps of prepared scans, brought back onto the files that the scans were prepared from."""

from __future__ import annotations

from pathlib import Path

from andi_bench.console import Console
from andi_bench.errors import UserError
from benchmark.run.data import open_data
from benchmark.run.given_maps_run import ForeignMaps
from benchmark.run.request import RunRequest
from benchmark.scoring.given_maps import map_files
from datasets.prepare.register.original_grid import original_path, preparation_of, save_on_original
from datasets.scans.nifti import read_nifti


def export_originals(
    request: RunRequest, given: ForeignMaps, folder: Path, console: Console
) -> None:
    """Write each map made elsewhere as ``<folder>/<subject>_on_<original file>.nii.gz``.

    A map may lie on any grid in the prepared scans' world. Files that are there are left alone.

    Raises
    ------
    UserError
        When no subject was prepared by this package, a map is missing, or a file cannot be read or written.
    """
    subjects = open_data(request, console, learns=False, modalities=()).test
    prepared = {s.id: p for s in subjects if (p := preparation_of(s.paths)) is not None}
    if not prepared:
        raise UserError(
            f"--export-maps: no subject of dataset '{request.dataset}' has a preparation.json beside its files: "
            "its maps lie on the user's files already"
        )
    files = map_files(given.maps, list(prepared))
    with console.progress("exporting maps", len(prepared)) as advance:
        for subject, preparation in prepared.items():
            if not original_path(folder, preparation).is_file():
                scan = read_nifti(files[subject])
                save_on_original(scan.values, scan.affine, preparation, folder)
            advance(1, subject)
    console.note(f"maps          {folder}: on the grids of the original files")
