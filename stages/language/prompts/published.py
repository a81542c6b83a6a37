"""Names of the prompt sets that hold PointCLIP V2's own sentences."""

CORPUS = "v2_corpus"  # all of a dataset's sentences
SEARCHED = "v2_searched_"  # those that its search chose; a backbone's id follows


def searched_set(backbone: str) -> str:
    """The set of the sentences that PointCLIP V2's search chose with `backbone`."""
    return f"{SEARCHED}{backbone}"


def is_imported(prompt_set: str) -> bool:
    """Whether `prompt_set` is one of PointCLIP V2's own, not one that a language model is asked for."""
    return prompt_set == CORPUS or prompt_set.startswith(SEARCHED)
