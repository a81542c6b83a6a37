"""Few-shot predictions and features -> metrics: `python -m stages.evaluate_fewshot <dataset> <backbone>`."""

from pathlib import Path

from stages.artifacts.features import read_features
from stages.artifacts.fewshot import read_adapted, read_epochs
from stages.artifacts.figures import FewShotMetrics
from stages.artifacts.files import read_json, write_json
from stages.artifacts.metrics import write_metrics
from stages.artifacts.paths import Paths
from stages.artifacts.predictions import read_predictions
from stages.artifacts.prompts import read_prompts
from stages.config.params import Params, load_params
from stages.core.cli import run_stage
from stages.fewshot.adapted_search import AdaptedSearch, not_run
from stages.fewshot.evaluation import few_shot_figures
from stages.fewshot.specs import RunSpec, Start, Starts


def main(dataset: str, backbone: str, *, params: Params | None = None, root: Path = Path()) -> None:
    """Search on what every model gives and score all methods; write data/search/... and reports/metrics/..."""
    params, paths = params or load_params(root), Paths(root)
    folder, source = paths.few_shot(dataset, backbone), paths.features(dataset, backbone)
    train, test = (read_features(source, split) for split in ("train", "test"))
    prompts = read_prompts(paths.prompts(dataset, backbone))
    texts = read_json(folder / "texts.json")
    starts = Starts(**{kind: text and Start(**text) for kind, text in texts.items()})
    config, published = params.evaluate_fewshot, params.train.as_published
    search = AdaptedSearch(prompts, test.classes, starts, test.labels, test.logit_scale, params.search, config)
    searched = [found for run, features in read_adapted(folder) for found in search.run(RunSpec(**run), features)]
    methods = few_shot_figures(
        read_predictions(folder / "predictions.parquet"),
        read_epochs(folder / "epochs.parquet"),
        config=params.evaluate,
        searched=searched,
    )
    documents = {f"{one.method}-{one.shots}-{one.seed}": one.document for one in searched}
    write_json(paths.fewshot_search(dataset, backbone), documents)
    samples = {"train": len(train.labels), "test": len(test.labels)}
    missing = not_run(published.of(dataset, backbone), config, starts=starts, prompts=prompts, text=published.text)
    metrics = FewShotMetrics(samples=samples, methods=methods, not_run=missing)
    write_metrics(paths.fewshot_metrics(dataset, backbone), metrics)


if __name__ == "__main__":
    run_stage(main)
