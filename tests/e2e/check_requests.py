"""Checks requests, one JSON a line, against others' own types.

Usage: check_requests.py cohere|mistral FILE NAMES...

NAMES are fields that a model gave beyond the types, and that go back to it.
"""

import inspect
import json
import sys
from typing import List

import pydantic


def unknown(value, at):
    """The fields that a type of the SDK's does not have: it keeps them without a word."""
    if isinstance(value, pydantic.BaseModel):
        for name in value.model_extra or {}:
            yield f"{at}.{name}"
        for name in type(value).model_fields:
            yield from unknown(getattr(value, name), f"{at}.{name}")
    elif isinstance(value, list):
        for nth, item in enumerate(value):
            yield from unknown(item, f"{at}[{nth}]")


def by_cohere(request):
    import cohere
    from cohere.types import ChatMessageV2, ToolV2

    # The SDK adds this one itself.
    known = set(inspect.signature(cohere.ClientV2.chat).parameters) | {"stream"}
    found = [f"parameter {name}" for name in request if name not in known]
    for name, kind in (("messages", ChatMessageV2), ("tools", ToolV2)):
        value = pydantic.TypeAdapter(List[kind]).validate_python(request.get(name, []))
        found += unknown(value, name)
    return found


def by_mistral(request):
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.protocol.instruct.validator import (
        MistralRequestValidatorV13,
        ValidationMode,
    )

    # What OpenAI's form has beside it is for servers; the order of messages is what is asked here.
    asked = {name: request[name] for name in ("model", "messages", "tools") if name in request}
    asked = ChatCompletionRequest.from_openai(**asked)
    MistralRequestValidatorV13(ValidationMode.serving).validate_request(asked)
    return []


def main():
    by, file, *given = sys.argv[1:]
    check = {"cohere": by_cohere, "mistral": by_mistral}[by]
    count = 0
    for line in open(file, encoding="utf-8"):
        request = json.loads(line)
        found = [at for at in check(request) if at.rsplit(".", 1)[-1] not in given]
        if found:
            sys.exit(f"request {count + 1} has what is unknown: {found}\n{line}")
        count += 1
    print(count)


main()
