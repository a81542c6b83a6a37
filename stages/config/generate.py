"""Section `generate` of params.yaml."""

from typing import Annotated, Any, Literal

from pydantic import Field

from stages.config.section import CountOrNone, Name, NotNegative, Positive, SetName, Unique, section, text_like
from stages.core.errors import InconsistentError

SET_BY_US = {"model", "messages", "n", "stream", "stream_options", "max_tokens", "max_completion_tokens"}


@section
class Price:
    """Dollars a million tokens, of what is sent and of what comes back."""

    prompt: NotNegative
    completion: NotNegative


@section
class CorpusFile:
    """A file of PointCLIP V2's repository: its path there and its git blob id."""

    path: Name
    blob: Annotated[str, text_like(r"[0-9a-f]{40}", "a git blob id, 40 hexadecimal digits")]


@section
class Corpus:
    """What PointCLIP V2 published for one dataset, by their `name`: all sentences, and those its search chose."""

    name: Name
    sentences: CorpusFile
    searched: CorpusFile


@section
class Corpora:
    """PointCLIP V2's own sentences: `url` with a place for the path, or a local `folder` with the same files."""

    url: Annotated[str, text_like(r"https?://\S*\{path\}\S*", "an address, http(s)://..., with a place {path}")]
    folder: Name | None
    datasets: dict[str, Corpus]


@section
class Generate:
    """Which prompt sets the language model writes, which model that is, and how it may be asked.

    With `base_url` null every answer comes from the record. `key_variable` names the environment variable that holds
    the key. A request that fails is sent `attempts` times, `timeout` seconds each; one whose answer is blank, refused
    or cut off is asked again `reasks` times, with up to `longest_answer` tokens where it was cut. A server may ask to
    wait up to `longest_wait` seconds. `budget_requests` and `budget_tokens` end a run.
    """

    sets: Annotated[tuple[SetName, ...], Unique]
    model: Name
    base_url: Annotated[str, text_like(r"https?://[^\s/]\S*", "an address, http(s)://...")] | None
    key_variable: Annotated[str, text_like(r"[A-Za-z_][A-Za-z0-9_]*", "the name of an environment variable")]
    token_limit: Literal["max_tokens", "max_completion_tokens"]
    temperature: bool
    reasoning_effort: Name | None
    extra_body: dict[str, Any] | None
    examples: Annotated[tuple[SetName, ...], Unique]
    concurrency: Annotated[int, Field(ge=1, le=1000)]
    timeout: Positive
    attempts: Annotated[int, Field(ge=1, le=1000)]
    longest_wait: NotNegative
    stream: bool
    reasks: Annotated[int, Field(ge=0, le=1000)]
    longest_answer: Annotated[int, Field(ge=1, le=100_000_000)]
    budget_requests: Annotated[int, Field(ge=1, le=10**15)] | None
    budget_tokens: Annotated[int, Field(ge=1, le=10**15)] | None
    batch: bool
    batch_poll: NotNegative
    warn_days: CountOrNone
    prices: dict[Name, Price]
    corpora: Corpora

    def __post_init__(self):
        if taken := sorted(SET_BY_US & (self.extra_body or {}).keys()):
            raise InconsistentError(
                *(f"extra_body.{name}: expected no field that generate sets by itself" for name in taken)
            )
