"""Asking for what the record lacks: is there a server to ask, does the model end soon, which way, and the progress."""

import asyncio
from collections.abc import Callable
from datetime import date

from tqdm import tqdm

from stages.config.generate import Generate
from stages.core.errors import InputError
from stages.language.llm.answers import Lines, is_complete
from stages.language.llm.batch import ask_batch
from stages.language.llm.budget import Limits
from stages.language.llm.client import ask_all, check_model
from stages.language.llm.cost import Tokens
from stages.language.llm.parameters import Parameters
from stages.language.llm.requests import Request
from stages.language.llm.server import DamagedKey, Server, Sleep


def ask(
    requests: list[Request],
    config: Generate,
    *,
    key: str,
    history: Lines,
    today: date,
    save: Callable[[dict], None],
    warn: Callable[[str], None],
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Ask for `requests`, of which the record holds the attempts `history`; `save` keeps each response at once.

    `warn` gets a line for all that a person should know meanwhile. InputError says what ended the run early.
    """
    asyncio.run(_ask(requests, config, key=key, history=history, today=today, save=save, warn=warn, sleep=sleep))


async def _ask(
    requests: list[Request],
    config: Generate,
    *,
    key: str,
    history: Lines,
    today: date,
    save: Callable[[dict], None],
    warn: Callable[[str], None],
    sleep: Sleep,
) -> None:
    try:
        server = Server(
            config.base_url,
            key,
            timeout=config.timeout,
            retries=config.attempts - 1,
            longest_wait=config.longest_wait,
            warn=warn,
            sleep=sleep,
        )
    except DamagedKey as error:
        raise InputError(f"environment variable {config.key_variable}: {error}") from error
    parameters = Parameters(warn=warn, stream=config.stream and not config.batch)
    limits = Limits(
        concurrency=config.concurrency,
        requests=config.budget_requests,
        tokens=config.budget_tokens,
        reasks=config.reasks,
        longest_answer=config.longest_answer,
    )
    async with server:
        if warning := await check_model(server, config.model, today=today, warn_days=config.warn_days):
            warn(warning)
        with tqdm(total=len(requests), unit="request", desc="generate", disable=None) as bar:
            common = {
                "server": server,
                "parameters": parameters,
                "limits": limits,
                "history": history,
                "save": _shown(save, bar, config),
            }
            if config.batch:
                await ask_batch(requests, poll=config.batch_poll, **common)
            else:
                await ask_all(requests, **common)


def _shown(save: Callable[[dict], None], bar: tqdm, config: Generate) -> Callable[[dict], None]:
    """`save`, which then moves `bar` on and shows the tokens and dollars so far."""
    total, price = Tokens(0, 0, 0), config.prices.get(config.model)

    def save_and_show(line: dict) -> None:
        nonlocal total
        save(line)
        total = Tokens(
            total.requests + 1,
            total.prompt + line["prompt_tokens"],
            total.completion + line["completion_tokens"],
        )
        cost = {} if price is None else {"dollars": f"{total.cost(price):.2f}"}
        bar.set_postfix(tokens=total.prompt + total.completion, **cost, refresh=False)
        bar.update(is_complete(line))

    return save_and_show
