"""Few-shot predictions -> figures: `python -m stages.evaluate_fewshot <dataset> <backbone>`."""

from pathlib import Path

from stages.artifacts.features import read_features
from stages.artifacts.fewshot import read_epochs
from stages.artifacts.figures import FewShotMetrics
from stages.artifacts.metrics import write_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.predictions import read_predictions
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.fewshot.evaluation import few_shot_figures


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Score every few-shot method at all numbers of shots; write reports/metrics/<dataset>/<backbone>.fewshot.json."""
    params, paths = params or load_params(root), Paths(root)
    folder, source = paths.few_shot(dataset, backbone), paths.features(dataset, backbone)
    methods = few_shot_figures(
        read_predictions(folder / "predictions.parquet"),
        read_epochs(folder / "epochs.parquet"),
        config=params.evaluate,
    )
    samples = {split: len(read_features(source, split).labels) for split in ("train", "test")}
    write_metrics(paths.fewshot_metrics(dataset, backbone), FewShotMetrics(samples=samples, methods=methods))


if __name__ == "__main__":
    run_stage(main)
