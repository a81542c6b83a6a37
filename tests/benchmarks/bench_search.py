"""How many times faster the searches are than the loops they replace, in one run at ModelNet40's size on random data.

    python tests/benchmarks/bench_search.py [--samples 2468] [--candidates 1200] [--largest 1000000] [--plot PNG]

Prints the prompt search against the published loop (its cost per candidate times the evaluations), the view-weight grid
against one product per combination, the coordinate search against the grid, the peak memory, and a table of the prompt
search's seconds by candidates and by samples. Nothing is asserted about time: machines differ.
"""

import argparse
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from timing import PUBLISHED, best_seconds, note

from stages.config.search import Objective
from stages.prompt_search.candidates import Candidates
from stages.prompt_search.greedy import PromptSearchResult, search_prompts
from stages.prompt_search.task import SearchSettings, SearchTask
from stages.prompt_search.view_weights import coordinate_view_weights, grid_view_weights

VIEWS, WIDTH, CLASSES, SWEEPS = 10, 512, 40, 2


def unit(rows: np.ndarray) -> np.ndarray:
    """`rows` of unit norm, f4."""
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def instance(samples: int, per_class: int) -> tuple[np.ndarray, np.ndarray, Candidates, np.ndarray]:
    """Features [N, V, D], labels [N], candidates and initial text [C, D], with a class signal in each."""
    generator = np.random.default_rng(0)

    def noise(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape, dtype=np.float32)

    centres, labels = noise(CLASSES, WIDTH), generator.integers(0, CLASSES, samples)
    features = np.empty((samples, VIEWS, WIDTH), np.float32)
    for v in range(VIEWS):
        features[:, v] = unit(0.06 * (1 + v / 5) * centres[labels] + noise(samples, WIDTH))
    sentences = noise(CLASSES * per_class, WIDTH)
    for c in range(CLASSES):
        sentences[c * per_class : (c + 1) * per_class] += np.linspace(0, 0.3, per_class)[:, None] * centres[c]
    candidates = Candidates.ragged(sentences, np.arange(CLASSES + 1) * per_class)
    return features, labels, candidates, 0.1 * centres + noise(CLASSES, WIDTH)


def published_evaluation(features: np.ndarray, labels: np.ndarray, text: np.ndarray) -> Callable[[], int]:
    """One evaluation as published: each class's text once a view, one product over views and channels, all samples."""
    flat = features.reshape(len(features), -1)

    def evaluate() -> int:
        repeated = unit(np.tile(text, VIEWS))
        return int((np.argmax(100 * flat @ repeated.T, axis=1) == labels).sum())

    return evaluate


def one_combination(features: np.ndarray, labels: np.ndarray, text: np.ndarray) -> Callable[[], int]:
    """One combination of view weights by one product: collapse the views, multiply, all samples."""
    weights = np.linspace(0.25, 1, VIEWS, dtype=np.float32)
    return lambda: int((np.argmax(np.matmul(weights, features) @ unit(text).T, axis=1) == labels).sum())


def compare_prompts(features, labels, candidates: Candidates, initial: np.ndarray, *, repeats: int) -> np.ndarray:
    """Print the prompt search against the loop; returns the text found."""

    def search(objective: Objective = "accuracy") -> PromptSearchResult:
        task = SearchTask(features, labels, candidates=candidates, initial=initial, view_weights=np.ones(VIEWS))
        return search_prompts(task, SearchSettings(objective=objective, sweeps=SWEEPS))

    found = search()
    evaluations = len(found.counts) - 1
    ours = best_seconds(search, repeats)
    loop = best_seconds(published_evaluation(features, labels, initial), 20)
    print(
        f"prompts: {len(labels)} samples, {evaluations} evaluations, {len(found.trace)} accepted, "
        f"right {found.start} -> {found.correct}\n"
        f"  ours {ours:.2f} s; loop {loop * 1e3:.1f} ms a candidate = {loop * evaluations:.0f} s: "
        f"{loop * evaluations / ours:.0f} x; peak memory {peak_megabytes()} MB"
    )
    note("prompt search", plain=loop * evaluations, ours=ours, unit="s", against=PUBLISHED)
    for objective in ("mean_class_accuracy", "negative_log_likelihood"):
        seconds = best_seconds(partial(search, objective), 1)
        print(f"  objective {objective}: {seconds:.2f} s")
    return found.text


def compare_weights(features, labels, text: np.ndarray, *, repeats: int) -> None:
    """Print the grid against one product per combination, and the coordinate search against the grid."""
    grid = grid_view_weights(features, labels, text=text, fallback=np.ones(VIEWS))
    ours = best_seconds(lambda: grid_view_weights(features, labels, text=text, fallback=np.ones(VIEWS)), repeats)
    product = best_seconds(one_combination(features, labels, text), 20) * len(grid.counts)
    moved = coordinate_view_weights(features, labels, text=text, start=np.ones(VIEWS))
    steps = best_seconds(lambda: coordinate_view_weights(features, labels, text=text, start=np.ones(VIEWS)), repeats)
    print(
        f"view weights: {len(grid.counts)} combinations, right {grid.start} -> {grid.correct}\n"
        f"  grid {ours:.2f} s; one product per combination {product:.0f} s: {product / ours:.0f} x\n"
        f"  coordinate search {steps:.2f} s, right {moved.start} -> {moved.correct}"
    )
    note("grid of view weights", plain=product, ours=ours, unit="s", against=PUBLISHED)


def print_costs(features, labels, candidates: Candidates, initial: np.ndarray, *, largest: int) -> list[tuple]:
    """Print one sweep's seconds by candidates, 1000 to `largest` from the same sentences, then by samples.

    Returns the rows (candidates, samples, seconds).
    """
    table = []
    sizes = [size for size in (1000, 3000, 10000, 30000, 100000, 300000, 1000000) if size <= largest]
    print("candidates  samples  seconds  microseconds a candidate")
    for size, share in [(size, 1) for size in sizes] + [(10000, 2), (10000, 4)]:
        pool, per_class = np.diff(candidates.offsets)[0], size // CLASSES
        rows = np.concatenate([c * pool + np.arange(per_class) % pool for c in range(CLASSES)])
        drawn = Candidates(candidates.features, np.arange(CLASSES + 1) * per_class, rows)
        kept = slice(len(labels) // share)
        start = time.perf_counter()
        task = SearchTask(features[kept], labels[kept], candidates=drawn, initial=initial, view_weights=np.ones(VIEWS))
        search_prompts(task, SearchSettings(sweeps=1))
        seconds = time.perf_counter() - start
        table.append((size, kept.stop, seconds))
        print(f"{size:10d}  {kept.stop:7d}  {seconds:7.2f}  {seconds / size * 1e6:6.1f}", flush=True)
    return table


def plot_costs(table: list[tuple], path: Path) -> None:
    """Draw seconds over candidates for the largest number of samples, with a line of slope 1 through the last point."""
    samples = max(row[1] for row in table)
    sizes, seconds = np.array([(row[0], row[2]) for row in table if row[1] == samples]).T
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.loglog(sizes, seconds, "o-", color="#2563a8", label=f"{samples} samples, {CLASSES} classes")
    axes.loglog(sizes, seconds[-1] * sizes / sizes[-1], "--", color="#8a97a3", label="linear")
    axes.set(xlabel="candidate sentences", ylabel="seconds of one sweep")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    figure.savefig(path, dpi=130, metadata={"Software": None})


def peak_megabytes() -> int:
    """Peak resident memory of this process so far, the data included."""
    return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=2468)
    parser.add_argument("--candidates", type=int, default=1200, help="of each class")
    parser.add_argument("--largest", type=int, default=1000000, help="number of candidates in the table of costs")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plot", type=Path, help="PNG to draw the table of costs to")
    arguments = parser.parse_args()
    features, labels, candidates, initial = instance(arguments.samples, arguments.candidates)
    text = compare_prompts(features, labels, candidates, initial, repeats=arguments.repeats)
    compare_weights(features, labels, text, repeats=arguments.repeats)
    table = print_costs(features, labels, candidates, initial, largest=arguments.largest)
    if arguments.plot:
        plot_costs(table, arguments.plot)


if __name__ == "__main__":
    main()
