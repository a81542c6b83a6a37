"""Section `evaluate_fewshot` of params.yaml."""

from typing import Annotated

from stages.config.section import Name, SetName, Unique, section


@section
class EvaluateFewshot:
    """The searches on the features that trained models give; how they search is said in section `search`.

    `searched` names the methods whose own runs are searched; those as published all are, over PointCLIP V2's corpus
    from their own prompts, and over each of `text_inputs` from its first sentence of each class.
    """

    searched: Annotated[tuple[Name, ...], Unique]
    text_inputs: Annotated[tuple[SetName, ...], Unique]
