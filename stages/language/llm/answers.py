"""What a server sent back, as one line of the record."""

from stages.language.llm.requests import Request


def record_line(request: Request, *, answer: str, finish_reason: str, model: str, tokens: tuple[int, int]) -> dict:
    """One line of the record: what was asked, what came back, and what it took in tokens (sent, received)."""
    return {
        "key": request.key,
        "class": request.subject.class_name,
        "part": request.subject.part,
        "command": request.family,
        "sample": request.sample,
        "request": request.recorded,
        "model": model,
        "answer": answer,
        "finish_reason": finish_reason,
        "prompt_tokens": tokens[0],
        "completion_tokens": tokens[1],
    }
