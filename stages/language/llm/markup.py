"""The lines of a model's answer, out of whatever it is wrapped in: reasoning, JSON, Markdown, numbering, quotes."""

import html
import json
import re
from collections.abc import Iterator

# Reasoning: models write it between tags; the opening one may be part of the prompt, the closing one may never come.
REASONING_TAG = r"(?:think(?:ing)?|thought|reason(?:ing)?|reflection|scratchpad|analysis)"
REASONING = re.compile(
    rf"<{REASONING_TAG}>.*?</{REASONING_TAG}>"
    rf"|\[THINK\].*?\[/THINK\]"
    r"|<\|channel\|?>(?!final).*?(?=<\|channel\|?>|<\|start\|>|\Z)"
    r"|<unused94>.*?<unused95>",
    re.DOTALL | re.IGNORECASE,
)
CLOSED_ONLY = re.compile(rf"\A.*(?:</{REASONING_TAG}>|\[/THINK\]|<unused95>)", re.DOTALL | re.IGNORECASE)
OPENED_ONLY = re.compile(rf"(?:<{REASONING_TAG}>|\[THINK\]|<unused94>).*\Z", re.DOTALL | re.IGNORECASE)
FINAL_CHANNEL = re.compile(r"(?:<\|start\|>\w*)?<\|channel\|?>final(?:<\|message\|>)?", re.IGNORECASE)
SPECIAL_TOKEN = re.compile(r"<\|[\w ]{1,40}\|?>|</?s>|<(?:start|end)_of_turn>|<(?:bos|eos|pad)>|\[/?INST\]")

FENCE = re.compile(r"^\s*(?:```|~~~).*$")
HEADING = re.compile(r"^\s*#{1,6}\s")
RULE = re.compile(r"^\s*(?:[-*_=]\s*){3,}$")
TABLE_ROW = re.compile(r"^\s*\|.*\|\s*$")
TABLE_RULE = re.compile(r"^\s*\|?[\s:|-]*-[\s:|-]*\|[\s:|-]*$")
HTML_TAG = re.compile(r"</?(?:p|br|li|ul|ol|b|i|em|strong|code|span|div|td|tr|th|h[1-6])\b[^>]*/?>", re.IGNORECASE)
LINK = re.compile(r"!?\[([^\]]+)\]\([^)\s]*\)")
EMPHASIS = re.compile(r"(\*\*|__|\*|`)(?=\S)(.+?)(?<=\S)\1")
NUMBERING = re.compile(
    r"^\s*(?:>+\s*|\[[ xX]\]\s+|[-*+•–—·▪◦‣●]\s+|[(\[]?\d{1,3}\s*(?:\\?[.):\]]|/)\s*|[(\[][a-zA-Z][)\]]\s+|[a-z]\)\s+"
    r"|(?:sentence|caption|answer|description|line|option|prompt|version|variation)\s*#?\d{1,3}\s*[:.)-]\s*)",
    re.IGNORECASE,
)
LISTED = re.compile(r'^"(.*)",$')  # a line of a list of strings without its brackets
QUOTES = "\"'“”„‘’‚«»‹›「」`*_ \t"
JSON_STRING = re.compile(r'"(?:[^"\\]|\\.)*"(?=\s*([,\]}:]|\Z))', re.DOTALL)


def answer_lines(answer: str) -> Iterator[tuple[str, str | None]]:
    """(line, None) of each line that may be a sentence, and (text, kind) of what is none: reasoning or markup.

    Lines come without numbering, emphasis and quotes. Of JSON, complete or cut off, the strings are the lines.
    """
    text, reasoning = _without_reasoning(answer)
    yield from ((block, "reasoning") for block in reasoning)
    text = SPECIAL_TOKEN.sub("\n", text)
    unfenced = []
    for line in text.splitlines():
        if FENCE.match(line):
            yield line, "markup"
        else:
            unfenced.append(line)
    strings = json_strings("\n".join(unfenced))
    if strings is not None:
        yield from ((bare(line), None) for string in strings for line in string.splitlines() if line.strip())
        return
    for line in unfenced:
        if not line.strip():
            continue
        if HEADING.match(line) or RULE.match(line) or TABLE_RULE.match(line):
            yield line, "markup"
        elif TABLE_ROW.match(line):
            yield from ((bare(cell), None) for cell in line.strip().strip("|").split("|") if cell.strip())
        elif (of_line := json_strings(line.strip().removesuffix(","))) is not None:
            yield from ((bare(string), None) for string in of_line if string.strip())
        else:
            yield bare(line), None


def bare(line: str) -> str:
    """`line` without numbering, emphasis, tags, links and the quotes around it."""
    line = html.unescape(HTML_TAG.sub("", line)).strip()
    line = LINK.sub(r"\1", line)
    line = LISTED.sub(r"\1", line)
    while (shorter := EMPHASIS.sub(r"\2", NUMBERING.sub("", line.strip(), count=1)).strip(QUOTES)) != line:
        line = shorter
    return " ".join(line.split())


def json_strings(text: str) -> list[str] | None:
    """The strings of a JSON list or object that `text` is, its keys left out; None where it is none.

    Of one that is cut off in the middle, the strings that are whole.
    """
    text = text.strip()
    if not text or text[0] not in "[{" or '"' not in text:
        return None
    try:
        return list(_strings(json.loads(text)))
    except ValueError:
        pass
    if not re.match(r'[\[{]\s*["\[{]', text):
        return None
    whole = [match for match in JSON_STRING.finditer(text) if match[1] != ":"]
    try:
        return [json.loads(match[0], strict=False) for match in whole]
    except ValueError:
        return None


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for element in value:
            yield from _strings(element)
    elif isinstance(value, dict):
        yield from _strings(list(value.values()))


def _without_reasoning(answer: str) -> tuple[str, list[str]]:
    """`answer` without its blocks of reasoning, and the blocks."""
    blocks = [match[0] for match in REASONING.finditer(answer)]
    text = REASONING.sub("\n", answer)
    for pattern in (CLOSED_ONLY, OPENED_ONLY):
        if match := pattern.search(text):
            blocks.append(match[0])
            text = pattern.sub("\n", text, count=1)
    return FINAL_CHANNEL.sub("\n", text), blocks
