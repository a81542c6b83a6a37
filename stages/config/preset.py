"""Section `preset` of params.yaml."""

from stages.config.section import Key, Name, section


@section
class Preset:
    """Settings that go together (full key of params.yaml -> value), under the name of who published them so."""

    source: Name
    sets: dict[Key, bool | str | int | float]
