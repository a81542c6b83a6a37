"""Section `generate` of params.yaml."""

from typing import Any, Literal

from stages.config.section import section

SET_BY_US = {"model", "messages", "n", "stream", "stream_options", "max_tokens", "max_completion_tokens"}


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

    With `base_url` null every answer comes from the record. `key_variable` names the environment variable that holds
    the key. A request that fails is sent `attempts` times, `timeout` seconds each; one whose answer is blank, refused
    or cut off is asked again `reasks` times, with up to `longest_answer` tokens where it was cut. A server may ask to
    wait up to `longest_wait` seconds. `budget_requests` and `budget_tokens` end a run.
    """

    sets: tuple[str, ...]
    model: str
    base_url: str | None
    key_variable: str
    token_limit: Literal["max_tokens", "max_completion_tokens"]
    temperature: bool
    reasoning_effort: str | None
    extra_body: dict[str, Any] | None
    examples: tuple[str, ...]
    concurrency: int
    timeout: float
    attempts: int
    longest_wait: float
    stream: bool
    reasks: int
    longest_answer: int
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
        if self.reasks < 0 or self.longest_answer < 1:
            raise ValueError("reasks: expected at least 0, and longest_answer at least 1")
        if taken := sorted(SET_BY_US & (self.extra_body or {}).keys()):
            raise ValueError(f"extra_body: {taken[0]}: expected no field that generate sets by itself")
