"""Asking for what the record lacks: is there anybody to ask, does the model end soon, which way, and the progress."""

import asyncio
from collections.abc import Callable
from datetime import date

from tqdm import tqdm

from stages.config.generate import Generate
from stages.core.errors import InputError
from stages.language.llm.batch import ask_batch
from stages.language.llm.client import Limits, Server, Sleep, ask_all, check_model
from stages.language.llm.cost import Tokens, estimate
from stages.language.llm.requests import Request


def ask(
    requests: list[Request],
    config: Generate,
    *,
    key: str | None,
    today: date,
    save: Callable[[dict], None],
    warn: Callable[[str], None],
    sleep: Sleep = asyncio.sleep,
) -> None:
    """Ask for `requests`; `save` keeps each answer at once, `warn` gets a message when the model ends soon.

    InputError with what the requests would cost when there is no server or no key, and whatever ended the run early.
    """
    if config.base_url is None or not key:
        raise InputError(_nobody_to_ask(requests, config))
    asyncio.run(_ask(requests, config, key=key, today=today, save=save, warn=warn, sleep=sleep))


async def _ask(
    requests: list[Request],
    config: Generate,
    *,
    key: str,
    today: date,
    save: Callable[[dict], None],
    warn: Callable[[str], None],
    sleep: Sleep,
) -> None:
    limits = Limits(
        concurrency=config.concurrency,
        attempts=config.attempts,
        requests=config.budget_requests,
        tokens=config.budget_tokens,
    )
    async with Server(config.base_url, key, timeout=config.timeout, attempts=config.attempts, sleep=sleep) as server:
        if warning := await check_model(server, config.model, today=today, warn_days=config.warn_days):
            warn(warning)
        with tqdm(total=len(requests), unit="request", desc="generate", disable=None) as bar:
            shown = _shown(save, bar, config)
            if config.batch:
                await ask_batch(requests, server=server, limits=limits, poll=config.batch_poll, save=shown)
            else:
                await ask_all(requests, server=server, limits=limits, save=shown)


def _shown(save: Callable[[dict], None], bar: tqdm, config: Generate) -> Callable[[dict], None]:
    """`save`, which then moves `bar` on and shows the tokens and dollars so far."""
    total, price = Tokens(0, 0, 0), config.prices.get(config.model)

    def save_and_show(answer: dict) -> None:
        nonlocal total
        save(answer)
        total = Tokens(
            total.requests + 1,
            total.prompt + answer["prompt_tokens"],
            total.completion + answer["completion_tokens"],
        )
        cost = {} if price is None else {"dollars": f"{total.cost(price):.2f}"}
        bar.set_postfix(tokens=total.prompt + total.completion, **cost, refresh=False)
        bar.update()

    return save_and_show


def _nobody_to_ask(requests: list[Request], config: Generate) -> str:
    tokens, price = estimate(requests), config.prices.get(config.model)
    cost = "at a price not in generate.prices" if price is None else f"about {tokens.cost(price):.2f} dollars"
    return (
        f"{len(requests)} answers of model '{config.model}' are missing in the record (about {tokens.prompt} tokens "
        f"sent and {tokens.completion} received, {cost}); to ask for them set generate.base_url in params.yaml and the "
        f"environment variable {config.key_variable}, to do without empty generate.sets"
    )
