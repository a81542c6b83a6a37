"""Where every artifact lies below the project's root."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Paths:
    """The path of every artifact below `root`; the module of the same name says what is in it."""

    root: Path = Path()

    def points(self, dataset: str) -> Path:
        """Folder of the point clouds of `dataset` as read from its raw files."""
        return self.root / "data/points" / dataset

    def rejected(self, dataset: str) -> Path:
        """Objects of `dataset` that could not be read, and why."""
        return self.root / "data/points" / f"{dataset}.rejected.csv"

    def depth(self, dataset: str) -> Path:
        """Folder of the depth maps of `dataset`."""
        return self.root / "data/depth" / dataset

    def examples(self) -> Path:
        """Depth maps of a few objects of every dataset, for the report's pictures."""
        return self.root / "data/examples.h5"

    def features(self, dataset: str, backbone: str) -> Path:
        """Image features of the depth maps of `dataset`."""
        return self.root / "data/features" / dataset / backbone / "depth.h5"

    def prompts(self, dataset: str, backbone: str) -> Path:
        """Prompts for the classes of `dataset` and their text features."""
        return self.root / "data/features" / dataset / backbone / "prompts.parquet"

    def text_cache(self, backbone: str, fingerprint: str) -> Path:
        """Text features of `backbone` by the hash of their sentence; not DVC's, and safe to delete."""
        return self.root / "data/cache/text" / f"{backbone}-{fingerprint[:16]}.parquet"

    def record(self, dataset: str) -> Path:
        """Every answer that a language model gave about the classes of `dataset`, one JSON line each."""
        return self.root / "prompts/recorded" / f"{dataset}.jsonl"

    def sentences(self, dataset: str) -> Path:
        """Sentences about the classes and parts of `dataset`, by prompt set."""
        return self.root / "data/sentences" / f"{dataset}.parquet"

    def sentence_metrics(self, dataset: str) -> Path:
        """What each prompt set of `dataset` asked, kept, dropped and cost."""
        return self.root / "reports/prompts" / f"{dataset}.json"

    def search(self, dataset: str, backbone: str) -> Path:
        """Per search protocol: split, labels read, prompt ids per class [C][...], view weights [V], accepted steps."""
        return self.root / "data/search" / dataset / f"{backbone}.json"

    def fewshot_search(self, dataset: str, backbone: str) -> Path:
        """Per search on adapted features and run: labels read, prompt ids [C], samples right, accepted steps."""
        return self.root / "data/search" / dataset / f"{backbone}.fewshot.json"

    def weights_used(self, backbone: str) -> Path:
        """Names or hashes of the files that `backbone` is loaded from."""
        return self.root / "data/weights_used" / f"{backbone}.json"

    def predictions(self, dataset: str, backbone: str) -> Path:
        """Predicted classes of every evaluated sample."""
        return self.root / "data/predictions" / dataset / f"{backbone}.parquet"

    def boxes(self, dataset: str, backbone: str) -> Path:
        """Predicted boxes of every evaluated scan."""
        return self.root / "data/boxes" / dataset / f"{backbone}.parquet"

    def patches(self, dataset: str, backbone: str) -> Path:
        """Folder of the patch features of the shapes, by category."""
        return self.root / "data/patches" / dataset / backbone

    def segments(self, dataset: str, backbone: str) -> Path:
        """Predicted parts of every point of the evaluated shapes."""
        return self.root / "data/segments" / dataset / f"{backbone}.h5"

    def few_shot(self, dataset: str, backbone: str) -> Path:
        """Folder of few-shot training: predictions, the predicted classes of every epoch, and the models."""
        return self.root / "data/fewshot" / dataset / backbone

    def curves(self, dataset: str, backbone: str) -> Path:
        """Folder of the training curves, one CSV a method and number of shots."""
        return self.root / "reports/curves" / dataset / backbone

    def unfinished(self, dataset: str, backbone: str) -> Path:
        """Folder of training that was killed and can be continued; no artifact, and not there once training is over."""
        return self.root / "data/unfinished" / dataset / backbone

    def metrics(self, dataset: str, backbone: str) -> Path:
        """Figures of one dataset with one backbone."""
        return self.root / "reports/metrics" / dataset / f"{backbone}.json"

    def fewshot_metrics(self, dataset: str, backbone: str) -> Path:
        """Few-shot figures of one dataset with one backbone."""
        return self.root / "reports/metrics" / dataset / f"{backbone}.fewshot.json"

    def confusions(self, dataset: str, backbone: str) -> Path:
        """True and predicted class name of every evaluated sample, for `dvc plots`."""
        return self.root / "reports/plots/confusions" / f"{dataset}_{backbone}.csv"

    def templates(self, name: str) -> Path:
        """A set of hand-written sentence templates."""
        return self.root / "prompts/templates" / f"{name}.txt"

    def published(self) -> Path:
        """Figures from the literature."""
        return self.root / "reports/published.yaml"

    def table(self, name: str, form: str) -> Path:
        """A table of the report; `form` is md, csv or tex."""
        return self.root / "reports/tables" / f"{name}.{form}"

    def scene(self) -> Path:
        """A viewer of one scan with its boxes, beside the report and apart from it because it is large."""
        return self.root / "reports/figures/scene.html"

    def page(self) -> Path:
        """The whole report as one HTML file."""
        return self.root / "reports/index.html"

    def figure(self, name: str) -> Path:
        """A figure of the report."""
        return self.root / "reports/figures" / f"{name}.png"

    def experiments(self, name: str) -> Path:
        """What a command or a benchmark measured apart from `dvc repro`; comes with the repository."""
        return self.root / "reports/experiments" / f"{name}.csv"

    def bundled(self, name: str) -> Path:
        """A file that comes with the repository."""
        return self.root / "data/bundled" / name

    @property
    def commands(self) -> Path:
        """Folder of the commands to a language model, one file a family."""
        return self.root / "prompts/commands"

    @property
    def prompt_sets(self) -> Path:
        """Which families of commands, and in which way, each prompt set asks a language model."""
        return self.root / "prompts/sets.yaml"

    def example_picture(self, name: str) -> Path:
        """A picture that some prompt sets send along."""
        return self.root / "prompts/examples" / f"{name}.png"
