"""What reruns after an edit in each package and after a change of each section of params.yaml, and how long it takes.

    python tests/benchmarks/measure_reruns.py > reports/experiments/reruns.md

In a copy of the checkout, after a first `dvc repro`: a comment is added to one module of the package, or one key of the
section is changed, `dvc repro` runs, and what it ran is read from its output. Takes about half an hour on two cores.
"""

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from checkout import Checkout, new_checkout, ran
from timing import machine

CODE = {  # what is edited -> the module that gets a comment
    "stages/datasets/": "stages/datasets/folder.py",
    "stages/projection/": "stages/projection/kernels.py",
    "stages/language/prompts/": "stages/language/prompts/templates.py",
    "stages/language/llm/": "stages/language/llm/client.py",
    "stages/backbones/": "stages/backbones/clip.py",
    "stages/zeroshot/": "stages/zeroshot/metrics.py",
    "stages/prompt_search/": "stages/prompt_search/greedy.py",
    "stages/fewshot/": "stages/fewshot/adapter.py",
    "stages/segmentation/": "stages/segmentation/part_search.py",
    "stages/detection/": "stages/detection/boxes.py",
    "stages/reporting/": "stages/reporting/tables.py",
    "stages/artifacts/boxes.py": "stages/artifacts/boxes.py",
    "stages/artifacts/files.py": "stages/artifacts/files.py",
    "stages/config/render.py": "stages/config/render.py",
    "stages/core/": "stages/core/errors.py",
    "stages/commands/, stages/bundled/": "stages/bundled/rooms.py",
    "any README.md": "stages/projection/README.md",
}
SECTIONS = {  # key of params.yaml -> another value
    "download.seed": 1,
    "render.smooth.sigma": 1.0,
    "generate.warn_days": 91,
    "extract.batch_size": 250,
    "embed.waffle_seed": 1,
    "search.sweeps": 1,
    "evaluate.bootstrap_seed": 1,
    "train.epochs": 10,
    "patches.search_shapes": 4,
    "segment.sweeps": 2,
    "detect.seed": 1,
    "report.sheet_objects": 8,
}


def main() -> None:
    """Print both tables as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        checkout = new_checkout(Path(folder) / "checkout", tiny=False)
        checkout.repro()
        print("| edit in | reruns | seconds |\n| --- | --- | ---: |")
        for name, file in CODE.items():
            path = checkout.root / file
            text = path.read_text()
            path.write_text(text + "\n# a remark\n")
            print(f"| `{name}` | {measured(checkout)} |", flush=True)
            path.write_text(text)
            checkout.repro()
        print("\n| change of | reruns | seconds |\n| --- | --- | ---: |")
        before = (checkout.root / "params.yaml").read_text()
        for key, value in SECTIONS.items():
            checkout.set_params({key: value})
            print(f"| `{key}` | {measured(checkout)} |", flush=True)
            (checkout.root / "params.yaml").write_text(before)
            checkout.repro()
    print(f"\nMeasured on {machine()}.")


def measured(checkout: Checkout) -> str:
    """`dvc repro`: the stages that ran and its seconds, as two cells."""
    begun = time.perf_counter()
    done = checkout.run("dvc", "repro")
    names = list(dict.fromkeys(name.split("@")[0] for name in ran(done)))
    return f"{', '.join(names) or 'nothing'} | {time.perf_counter() - begun:.0f}"


if __name__ == "__main__":
    main()
