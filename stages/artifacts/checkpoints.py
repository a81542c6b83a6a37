"""data/unfinished/: checkpoints of training that was stopped and can be continued."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from stages.artifacts.files import complete_file


class CheckpointDir:
    """Checkpoints by name, of training on the inputs of one `fingerprint`; those of other inputs are removed."""

    def __init__(self, folder: Path, fingerprint: str):
        self._folder = folder / fingerprint
        for other in folder.glob("*"):
            if other != self._folder:
                shutil.rmtree(other)

    def file(self, name: str) -> "CheckpointFile":
        """The checkpoint of that name, written or not."""
        return CheckpointFile(self._folder / f"{name}.pt")

    def remove(self) -> None:
        """Remove all checkpoints: training is over."""
        shutil.rmtree(self._folder.parent, ignore_errors=True)


@dataclass(frozen=True)
class CheckpointFile:
    """One checkpoint as bytes."""

    path: Path

    def read(self) -> bytes | None:
        """What was written last, None before anything was."""
        return self.path.read_bytes() if self.path.is_file() else None

    def write(self, content: bytes) -> None:
        """Replace what was there, whole or not at all."""
        with complete_file(self.path) as temporary:
            temporary.write_bytes(content)
