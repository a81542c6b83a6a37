"""A validation split for datasets without one, so that nothing is chosen on the test split."""

from stages.artifacts.types import Clouds
from stages.core.splits import stratified_cut


def with_validation(splits: dict[str, Clouds], *, fraction: float, seed: int) -> dict[str, Clouds]:
    """The splits with `val`, cut from train by `stratified_cut`; unchanged where there is one, or a fraction of 0."""
    if "val" in splits or not fraction:
        return splits
    kept, cut = stratified_cut(splits["train"].labels, fraction=fraction, seed=seed)
    return splits | {"train": splits["train"].rows(kept), "val": splits["train"].rows(cut)}
