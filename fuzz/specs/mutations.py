"""Changes of a spec's text: from single bits to whole blocks."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from fuzz.specs.oddities import CHARACTERS, NAMES, NUMBERS
from fuzz.specs.seeds import seeds, words

Mutation = Callable[[str, Random], str]
_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")


def mutated(text: str, random: Random) -> str:
    """Return a text with one change, or with some more."""
    mutations, weights = zip(*MUTATIONS, strict=True)
    text = random.choices(mutations, weights)[0](text, random)
    while random.random() < 0.25:
        text = random.choices(mutations, weights)[0](text, random)
    return text


def _bits(text: str, random: Random) -> str:
    whole = bytearray(text.encode("utf-8", "surrogatepass"))
    for _ in range(random.choice([1, 1, 2, 4, 16])):
        if whole:
            whole[random.randrange(len(whole))] ^= 1 << random.randrange(8)
    return whole.decode("utf-8", "replace")


def _characters(text: str, random: Random) -> str:
    parts = list(text)
    for _ in range(random.choice([1, 1, 2, 5])):
        place = random.randrange(len(parts) + 1)
        kind = random.random()
        if kind < 0.4:
            parts.insert(place, random.choice(CHARACTERS))
        elif kind < 0.7 and parts:
            parts[min(place, len(parts) - 1)] = random.choice(CHARACTERS)
        elif parts:
            del parts[min(place, len(parts) - 1)]
    return "".join(parts)


def _tokens(text: str, random: Random) -> str:
    tokens = _TOKEN.findall(text)
    for _ in range(random.choice([1, 1, 2, 3, 6])):
        if len(tokens) < 2:
            break
        here, there = random.randrange(len(tokens)), random.randrange(len(tokens))
        match random.randrange(6):
            case 0:
                del tokens[here]
            case 1:
                tokens.insert(here, tokens[here])
            case 2:
                tokens[here], tokens[there] = tokens[there], tokens[here]
            case 3:
                tokens[here] = tokens[there]
            case 4:
                tokens[here] = random.choice(words())
            case _:
                start = random.randrange(50)
                other = _TOKEN.findall(random.choice(seeds()))
                tokens[here:here] = other[start : start + random.randrange(1, 12)]
    return "".join(tokens)


def _lines(text: str, random: Random) -> str:
    lines = text.split("\n")
    for _ in range(random.choice([1, 1, 2, 3])):
        if len(lines) < 2:
            break
        here, there = random.randrange(len(lines)), random.randrange(len(lines))
        match random.randrange(4):
            case 0:
                del lines[here]
            case 1:
                lines.insert(there, lines[here])
            case 2:
                lines[here], lines[there] = lines[there], lines[here]
            case _:
                lines.insert(here, random.choice(random.choice(seeds()).split("\n")))
    return "\n".join(lines)


def _blocks(text: str, random: Random) -> str:
    other = random.choice(seeds())
    if random.random() < 0.5:
        cut, start = random.randrange(len(text) + 1), random.randrange(len(other) + 1)
        return text[:cut] + other[start:]
    blocks = [part for one in (text, other) for part in re.split(r"\n(?=\w+[^\n]*\{)", one)]
    random.shuffle(blocks)
    return "\n".join(blocks[: random.randrange(1, len(blocks) + 1)])


def _numbers(text: str, random: Random) -> str:
    places = list(re.finditer(r"\b\d[\d.eE]*\b", text))
    chosen = random.sample(places, min(len(places), random.choice([1, 1, 2, 4])))
    for place in sorted(chosen, key=lambda one: -one.start()):
        text = text[: place.start()] + random.choice(NUMBERS) + text[place.end() :]
    return text


def _names(text: str, random: Random) -> str:
    for _ in range(random.choice([1, 1, 2])):
        names = sorted(set(re.findall(r"\b[A-Za-z_]\w*\b", text)))
        if not names:
            break
        old = random.choice(names)
        new = random.choice([random.choice(NAMES), random.choice(names), random.choice(words())])
        places = list(re.finditer(rf"\b{old}\b", text))
        chosen = places if random.random() < 0.6 else [random.choice(places)]
        for place in reversed(chosen):
            text = text[: place.start()] + new + text[place.end() :]
    return text


def _arguments(text: str, random: Random) -> str:
    """Exchange what stands in two pairs of parentheses."""
    places = list(re.finditer(r"\(([^()\n]*)\)", text))
    donor = random.choice(seeds()) if random.random() < 0.4 else text
    others = list(re.finditer(r"\(([^()\n]*)\)", donor))
    if not places or not others:
        return text
    place, other = random.choice(places), random.choice(others)
    return text[: place.start(1)] + other.group(1) + text[place.end(1) :]


def _nesting(text: str, random: Random) -> str:
    places = list(re.finditer(r"\b[a-z]\w*\b", text))
    if not places:
        return text
    place, depth = random.choice(places), random.choice([5, 30, 100, 300, 1000, 5000])
    word = place.group()
    deep = random.choice(
        [
            "(" * depth + word + ")" * depth,
            "-" * depth + word,
            "exp(" * depth + word + ")" * depth,
            "[" * depth + word + "]" * depth,
            " + ".join([word] * depth),
            "**".join([word] * depth),
            "if a > b then " * min(depth, 300) + word + " else 0" * min(depth, 300),
            word + "[0]" * depth,
        ]
    )
    return text[: place.start()] + deep + text[place.end() :]


def _dims(text: str, random: Random) -> str:
    places = list(re.finditer(r"\[([\w, ]*)\]", text))
    if not places:
        return text
    place, other = random.choice(places), random.choice(places).group(1)
    own = place.group(1)
    parts = [other, f"{own}, {other}", "", "k, k", f"{own},{own}", "0", "1", "-1", "2, 3", "1:"]
    return text[: place.start(1)] + random.choice(parts) + text[place.end(1) :]


MUTATIONS: tuple[tuple[Mutation, float], ...] = (
    (_bits, 1),
    (_characters, 1.5),
    (_tokens, 4),
    (_lines, 2),
    (_blocks, 1.5),
    (_numbers, 2),
    (_names, 3),
    (_arguments, 3),
    (_nesting, 0.25),
    (_dims, 2),
)
"""All changes, with how often each is chosen."""
