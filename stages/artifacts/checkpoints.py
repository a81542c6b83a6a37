"""data/unfinished/: training that was stopped and can be continued."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from stages.artifacts.files import complete_file


class CheckpointDir:
    """Documents of training that is not over, by name, for the inputs of one `fingerprint`; others' are removed."""

    def __init__(self, folder: Path, fingerprint: str):
        self._folder = folder / fingerprint
        for other in folder.glob("*"):
            if other != self._folder:
                shutil.rmtree(other)

    def place(self, name: str) -> "CheckpointFile":
        """The place of one document."""
        return CheckpointFile(self._folder / f"{name}.pt")

    def remove(self) -> None:
        """Remove everything: training is over."""
        shutil.rmtree(self._folder.parent, ignore_errors=True)


@dataclass(frozen=True)
class CheckpointFile:
    """Where one document lies as bytes."""

    path: Path

    def get(self) -> bytes | None:
        """What was put last, None before anything was."""
        return self.path.read_bytes() if self.path.is_file() else None

    def put(self, content: bytes) -> None:
        """Replace what was there, whole or not at all."""
        with complete_file(self.path) as temporary:
            temporary.write_bytes(content)
