"""A validation split for datasets without one, so that nothing is chosen on the test split."""

from stages.core.splits import stratified_cut
from stages.datasets.reading import Split


def with_validation(splits: dict[str, Split], *, fraction: float, seed: int) -> dict[str, Split]:
    """The splits with `val`, cut from train by `stratified_cut`; unchanged with one, without train or for 0."""
    if "val" in splits or "train" not in splits or not fraction:
        return splits
    kept, cut = stratified_cut(splits["train"].labels, fraction=fraction, seed=seed)
    return splits | {"train": splits["train"].rows(kept), "val": splits["train"].rows(cut)}
