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
Datasets = Annotated[
    list[str], typer.Option("--dataset", "-d", help="data set to score; may be repeated")
]
Folds = Annotated[
    list[Path] | None,
    typer.Option(
        "--splits", help="folder with scans_{train,val,test}.csv; may be repeated, a fold each"
    ),
]
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
ExecutorName = Annotated[
    Literal["local", "slurm"] | None,
    typer.Option(
        "--executor",
        help="a job a run: local, in processes of this machine, or slurm; default: one after the other in this process",
    ),
]
Jobs = Annotated[
    int | None,
    typer.Option(min=1, help="most jobs at a time; default: local 1, slurm as many as it likes"),
]
Cpus = Annotated[
    int | None, typer.Option(min=1, help="cores of a job; default: the method's, else 4")
]
Gpus = Annotated[
    int | None,
    typer.Option(
        min=0,
        help="accelerators of a job that runs a network; several: accelerate launches a process on each; default: 1",
    ),
]
Memory = Annotated[
    str | None, typer.Option(help="of a job, such as 16G; default: the method's, else 16G")
]
Time = Annotated[
    str | None,
    typer.Option(help="most of a job, such as 2h; what ran out of it goes on; default: 24h"),
]
SlurmOptions = Annotated[
    list[str] | None,
    typer.Option("--slurm", help="an option of sbatch, such as partition=gpu; repeated"),
]
PlanOnly = Annotated[
    bool,
    typer.Option("--plan", help="print what would be run, how long and with what; run nothing"),
]
