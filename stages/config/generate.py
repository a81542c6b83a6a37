"""Section `generate` of params.yaml."""

from typing import Literal

from stages.config.section import section


@section
class Price:
    """Dollars a million tokens, of what is sent and of what comes back."""

    prompt: float
    completion: float


@section
class CorpusFile:
    """A file of PointCLIP V2's repository: its path there and its git blob id."""

    path: str
    blob: str


@section
class Corpus:
    """What PointCLIP V2 published for one dataset, by their `name`: all sentences, and those its search chose."""

    name: str
    sentences: CorpusFile
    searched: CorpusFile


@section
class Corpora:
    """PointCLIP V2's own sentences: `url` with a place for the path, or a local `folder` with the same files."""

    url: str
    folder: str | None
    datasets: dict[str, Corpus]


@section
class Generate:
    """Which prompt sets the language model writes, which model that is, and how it may be asked.

    `base_url` null asks nobody: every answer comes from the record. `key_variable` names the environment variable that
    holds the key. `attempts` a request, `timeout` seconds each; `budget_requests` and `budget_tokens` end a run.
    """

    sets: tuple[str, ...]
    model: str
    base_url: str | None
    key_variable: str
    token_limit: Literal["max_tokens", "max_completion_tokens"]
    temperature: bool
    examples: tuple[str, ...]
    concurrency: int
    timeout: float
    attempts: int
    budget_requests: int | None
    budget_tokens: int | None
    batch: bool
    batch_poll: float
    warn_days: int
    prices: dict[str, Price]
    corpora: Corpora

    def __post_init__(self):
        if self.concurrency < 1 or self.attempts < 1:
            raise ValueError("concurrency and attempts: expected at least 1")
