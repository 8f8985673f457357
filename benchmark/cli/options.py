"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from benchmark.cli.shared.every_command import Debug as Debug
from benchmark.cli.shared.every_command import Json as Json
from benchmark.cli.shared.every_command import WorkspaceFolder as WorkspaceFolder
from benchmark.run.request import DeviceName, Tracker
from benchmark.run.request import Split as SplitName

Method = Annotated[
    list[str] | None,
    typer.Option(
        "--method", "-m", help="method; may be repeated; default: the plug-in's, else andi"
    ),
]
Dataset = Annotated[str, typer.Option("--dataset", "-d", help="data set to score")]
TrainOn = Annotated[
    str | None, typer.Option(help="data set to learn from; default: what the data set's file says")
]
Preset = Annotated[
    str | None,
    typer.Option(
        help="quick, fast (quick with fewer network calls), standard (quick with a training four times as long) or paper; default: "
        "quick on a CPU, paper on a GPU"
    ),
]
Seed = Annotated[list[int], typer.Option("--seed", help="seed; may be repeated")]
DataRoot = Annotated[Path | None, typer.Option(help="folder of the data set")]
TrainRoot = Annotated[Path | None, typer.Option(help="folder of the training data set")]
Splits = Annotated[Path | None, typer.Option(help="folder with scans_{train,val,test}.csv")]
Set = Annotated[
    list[str] | None, typer.Option("--set", help="any field, such as training.steps=500; repeated")
]
Config = Annotated[Path | None, typer.Option(help="YAML file with fields of the configuration")]
Plugin = Annotated[
    list[Path] | None,
    typer.Option(help="Python file that registers a method or a data set; repeated"),
]
Checkpoint = Annotated[
    Path | None, typer.Option(help="weights from elsewhere (.pt of the publication, .safetensors)")
]
Device = Annotated[DeviceName, typer.Option(help="where to compute")]
Workers = Annotated[int | None, typer.Option(min=1, help="processes; default: one a core")]
Track = Annotated[Tracker | None, typer.Option(help="follow trainings with a tracker")]
Split = Annotated[SplitName, typer.Option(help="what is reported on")]
Subjects = Annotated[
    list[str] | None, typer.Option("--subject", help="only this subject of the split; repeated")
]
Grid = Annotated[
    Literal["working", "native"] | None,
    typer.Option(help="native: measure also on each scan's own grid"),
]
Protocol = Annotated[
    Literal["standard", "paper"] | None,
    typer.Option(help="paper: also by the protocol of the publication's code"),
]
