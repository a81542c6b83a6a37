"""Where params.yaml, prompts/ and data/bundled/ lie: in the checkout, or in the package that a wheel installed."""

from pathlib import Path

PACKAGE = Path(__file__).parents[1]


def default_root() -> Path:
    """The checkout around this package; where there is none, the package's own copy of those files."""
    checkout = PACKAGE.parent
    return checkout if (checkout / "params.yaml").is_file() else PACKAGE / "_bundled"
