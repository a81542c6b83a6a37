"""A preset of params.yaml, as options of a DVC experiment.

dvc exp run $(python -m stages.commands.preset opendlign)
"""

import argparse
import json
from pathlib import Path

from stages.config.params import load_params
from stages.core.cli import run_command


def main(name: str, *, root: Path = Path()) -> None:
    """Print `-S key=value` for everything that the preset sets."""
    sets = load_params(root).preset_entry(name).sets
    print(*(f"-S {key}={value if isinstance(value, str) else json.dumps(value)}" for key, value in sets.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m stages.commands.preset", description=__doc__.splitlines()[0])
    parser.add_argument("name", help="a preset of params.yaml")
    run_command(main, parser)
