"""Where and when something was computed."""

import datetime
import os
import platform
from importlib.metadata import version
from pathlib import Path

import torch

from seq2seq.config import Section
from seq2seq.training.run_folder import commit


class Environment(Section):
    commit: str
    date: str
    processor: str
    cores: int
    versions: str

    @property
    def machine(self) -> str:
        return f"{self.processor}, {self.cores} cores; {self.versions}"


def environment() -> Environment:
    packages = ("torch", "sentencepiece", "sacrebleu")
    return Environment(
        commit=commit(),
        date=datetime.date.today().isoformat(),
        processor=torch.cuda.get_device_name() if torch.cuda.is_available() else _processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        versions=", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]),
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
