"""What a server sends back, as lines of the record, and which of them count as an answer.

Every line stands for one paid response. One without a sentence, or cut off, is an attempt: it stays in the books and
the request is asked again.
"""

from stages.language.llm.cleaning import BROKEN_OFF, CUT_OFF, UNFINISHED, has_sentence, why_no_sentence
from stages.language.llm.cost import prompt_tokens, text_tokens
from stages.language.llm.markup import answer_lines
from stages.language.llm.requests import Request

TOKEN_LIMITS = ("max_completion_tokens", "max_tokens")  # the two names that servers know
NOT_ASKED = ("messages", "stream", "stream_options")  # the first is never changed, the others are ways to answer
SMALLEST_RAISED = 2048  # tokens: models that reason spend 1,100 to 1,400 of them before the first visible one
RAISE = 4  # times the token limit that an answer was cut at

Lines = dict[str, list[dict]]  # the record's lines by the key of their request, in the order of the attempts


class NoAnswer(Exception):
    """A response without an answer in it: an error inside, no choices, no JSON; asking again may help."""


def record_line(
    request: Request,
    *,
    answer: str,
    finish_reason: str,
    model: str,
    tokens: tuple[int | None, int | None],
    sent: dict | None = None,
    attempt: int = 1,
) -> dict:
    """One line of the record: what was asked, what came back, and what it took in tokens (sent, received).

    Tokens that the server does not tell are counted from the text. `sent` is the body that went out, where it differs
    from the planned one: its other fields, with null for one that was left out.
    """
    line = {
        "key": request.key,
        "class": request.subject.class_name,
        "part": request.subject.part,
        "command": request.family,
        "sample": request.sample,
        "request": request.recorded,
        "model": model,
        "answer": answer,
        "finish_reason": finish_reason,
        "prompt_tokens": prompt_tokens(request) if tokens[0] is None else tokens[0],
        "completion_tokens": text_tokens(answer) if tokens[1] is None else tokens[1],
    }
    if changes := _changes(request.body, sent or request.body):
        line["sent"] = changes
    if None in tokens:
        line["tokens"] = "counted"
    if attempt > 1:
        line["attempt"] = attempt
    return line


def parse_response(response: object, request: Request, *, sent: dict | None, attempt: int) -> dict:
    """The line of the record for a server's response; NoAnswer where there is none in it."""
    if not isinstance(response, dict):
        kind = "a web page or plain text" if isinstance(response, str) else "no JSON object"
        raise NoAnswer(f"{kind} came instead of an answer (params.yaml: generate.base_url)")
    choices = response.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    problem = response.get("error") or (choice.get("error") if isinstance(choice, dict) else None)
    usage = response.get("usage") if isinstance(response.get("usage"), dict) else {}
    if problem and not _count(usage.get("completion_tokens")):  # with tokens it is paid, and goes into the books
        raise NoAnswer(f"an error inside the response: {_message(problem)}")
    if not isinstance(choice, dict):
        raise NoAnswer("a response without choices")
    message = choice.get("message") if isinstance(choice.get("message"), dict) else {}
    refusal = _text(message.get("refusal"))
    finish_reason = "refusal" if refusal else BROKEN_OFF if problem else str(choice.get("finish_reason") or "stop")
    return record_line(
        request,
        answer=refusal or _text(message.get("content")),
        finish_reason=finish_reason,
        model=str(response.get("model") or request.body["model"]),
        tokens=(_count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))),
        sent=sent,
        attempt=attempt,
    )


def filtered_line(request: Request, *, sent: dict | None, attempt: int) -> dict:
    """The line of the record for a request that a content filter refused."""
    return record_line(
        request,
        answer="",
        finish_reason="content_filter",
        model=request.body["model"],
        tokens=(0, 0),
        sent=sent,
        attempt=attempt,
    )


def is_complete(line: dict) -> bool:
    """Whether a line of the record counts as the answer: it has a sentence and is not cut off."""
    return line["finish_reason"] not in UNFINISHED and has_sentence(line["answer"], line["finish_reason"])


def is_all_reasoning(line: dict) -> bool:
    """Whether an answer was cut off before its first visible line."""
    visible = (text for text, kind in answer_lines(line["answer"]) if kind is None)
    return line["finish_reason"] == CUT_OFF and not any(visible)


def best_answer(lines: list[dict]) -> dict | None:
    """The line that answers a request: a complete one, else the last cut one with whole sentences, else None."""
    complete = next((line for line in lines if is_complete(line)), None)
    return complete or next((line for line in reversed(lines) if has_sentence(line["answer"], CUT_OFF)), None)


def reason_of(line: dict) -> str:
    """Why a line of the record is no answer, in a word or two."""
    names = {"stop": why_no_sentence(line["answer"]), CUT_OFF: "cut off", BROKEN_OFF: "broken off"}
    return names.get(line["finish_reason"], line["finish_reason"].replace("_", " "))


def needs_asking(request: Request, lines: list[dict], *, longest_answer: int) -> bool:
    """Whether `request` is to be asked (again): no complete answer, and not cut at the highest token limit."""
    if any(is_complete(line) for line in lines):
        return False
    return not lines or next_token_limit(request, lines, longest_answer=longest_answer) is not None


def next_token_limit(request: Request, lines: list[dict], *, longest_answer: int) -> int | None:
    """The token limit to ask with after the attempts `lines`: higher where the last was cut, up to `longest_answer`.

    None where it was cut at the highest limit already.
    """
    highest = max(request.max_tokens, longest_answer)
    if not lines:
        return request.max_tokens
    last = token_limit_of(lines[-1])
    if lines[-1]["finish_reason"] != CUT_OFF:
        return last
    return min(highest, max(RAISE * last, SMALLEST_RAISED)) if last < highest else None


def most_received(request: Request, lines: list[dict], *, longest_answer: int, reasks: int) -> int:
    """Tokens received when every answer is cut off and asked for again, `reasks` times at most."""
    total, last = 0, None
    for _ in range(1 + reasks):
        limit = next_token_limit(request, lines, longest_answer=longest_answer)
        if limit is None:
            break
        total += limit
        last = {"finish_reason": CUT_OFF, "request": {}, "sent": {TOKEN_LIMITS[0]: limit}}
        lines = [last]
    return total


def token_limit_of(line: dict) -> int:
    """The token limit that the answer in a line of the record was asked with."""
    body = line["request"] | line.get("sent", {})
    return next(body[name] for name in TOKEN_LIMITS if body.get(name) is not None)


def _changes(planned: dict, sent: dict) -> dict:
    keys = [key for key in {**planned, **sent} if key not in NOT_ASKED]
    return {key: sent.get(key) for key in keys if sent.get(key) != planned.get(key)}


def _text(content: object) -> str:
    """The text of a message's content, which may be a list of parts."""
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else part for part in content]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None


def _message(problem: object) -> str:
    text = problem.get("message") or problem.get("code") if isinstance(problem, dict) else problem
    return " ".join(str(text).split())[:200]
