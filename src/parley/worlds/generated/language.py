"""Several ways of saying each thing: a family's sentences in other words, so that no phrase is learned by heart.

The sentences of a world are renamed, one to one, after its tables are made: nothing else of it changes. In some
families one observation has several sentences, and the Reporter says any of them.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from parley.core.tables import Tables
from parley.worlds.generated.words import lexicon

# What kinds say, and other ways of saying it; {} is what varies. Each family draws one for each line.
SUBGOALS = (
    (
        r"(?:in)?to the (.+)",
        ("to the {}", "go to the {}", "walk to the {}", "try the {}", "visit the {}", "head for {}"),
    ),
    (r"search the (.+)", ("search the {}", "look in the {}", "look around the {}", "check the {}", "to the {}")),
    (r"take the (.+)", ("take the {}", "pick up the {}", "grab the {}", "choose the {}", "get hold of the {}")),
    (r"use the (.+)", ("use the {}", "try the {}", "choose the {}", "with the {}", "take the {}")),
    (r"open the (.+)", ("open the {}", "unlock the {}", "try to open the {}", "pull at the {}")),
    (r"lift the (.+)", ("lift the {}", "push the {}", "pull the {}", "move the {}")),
    (r"(?:by|through) the (.+)", ("by the {}", "through the {}", "take the {}", "go by the {}", "try the {}")),
    (r"bring it to (.+)", ("bring it to {}", "give it to {}", "carry it to {}", "hand it over to {}", "deliver to {}")),
    (r"ask (.+)", ("ask {}", "speak to {}", "question {}", "talk with {}", "go and ask {}")),
    (r"read the (.+)", ("read the {}", "look at the {}", "study the {}", "consult the {}")),
    (r"trade with (.+)", ("trade with {}", "go to {}", "make {} an offer", "deal with {}", "swap with {}")),
    (r"put the (.+) in", ("put the {} in", "add the {}", "throw in the {}", "use the {}", "the {} goes in")),
    (r"(?:press|turn|pull) (.+)", ("press {}", "turn {}", "pull {}", "push {}", "touch {}")),
    (
        r"(?:watch|wait and watch|look out|wait|let time pass|rest|stand by)",
        ("{}", "{} for a while", "{} a little", "just {}"),
    ),
    (r"(\S+(?: \S+)?)", ("{}", "{}", "{}", "choose {}", "try {}", "{} please", "go for {}", "option {}")),
)
INSTRUCTIONS = (
    (r"(?:find|fetch|get) the (.+)", ("find the {}", "fetch the {}", "get the {}", "where is the {}?", "{} wanted")),
    (r"bring (.+) the (.+)", ("bring {} the {}", "{} needs the {}", "{} asks for the {}", "take {} the {}")),
    (r"make it (.+)", ("make it {}", "{} is wanted", "turn it {}", "we need {}")),
    (
        r"(?:go to|reach|be in) the (.+)",
        ("go to the {}", "reach the {}", "be at the {}", "get to the {}", "way to the {}"),
    ),
    (r"open the (.+)", ("open the {}", "have the {} open", "the {} must be opened", "unlock the {}")),
    (r"please (.+)", ("please {}", "make {} happy", "a gift for {}", "do {} a favour")),
    (r"(.+)", ("{}", "{}", "your task: {}", "{}, please", "now {}")),
)
OBSERVATIONS = (
    (r"ready", ("ready", "a new day", "all is quiet", "you are at the start", "it begins", "you may choose")),
    (r"done", ("done", "it is over", "that is all", "nothing more happens", "no need for more")),
    (
        r"nothing|empty|nothing here",
        ("nothing", "nothing happens", "no luck", "there is nothing", "not a thing", "empty"),
    ),
    (r"shut|closed|no way", ("shut", "closed", "no way through", "barred", "it does not open", "blocked")),
    (
        r"you find the (.+)",
        ("you find the {}", "the {} is here", "here is the {}", "found: the {}", "there lies the {}"),
    ),
    (r"you (?:get|have) the (.+)", ("you get the {}", "you have the {}", "the {} is yours", "now you hold the {}")),
    (r"you reach the (.+)", ("you reach the {}", "you are at the {}", "here is the {}", "the {}, at last")),
    (
        r"(.+): (?:nothing|empty|nothing there)",
        ("{}: nothing", "nothing in the {}", "the {} is empty", "at the {}, nothing"),
    ),
    (r"in (.+), barred", ("in {}, barred", "still in {}, the door is barred", "{}, no way through")),
    (r"you (?:lose|earn|win) ?(.*)", ("you {}", "{}", "result: {}")),
    (r"(.+)", ("{}", "{}", "{}", "it says: {}", "you see: {}", "{}, it seems", "so: {}", "report: {}")),
)
RULES = (
    (r"(.*)always the same(.*)", ("{}always the same{}", "{}the same every time{}", "{}and that never changes{}")),
    (r"(.+)", ("{}", "{}", "know that {}", "{}, they say")),
)
SYLLABLES = [first + last for first in "bdfgklmnprstvz" for last in "aio"]
INVENTED = 0.15  # share of families in which some words are made up
SPOKEN = 0.25  # share of families in which an observation has several sentences
STYLES: tuple[Callable[[str], str], ...] = (str, str, str, lambda s: s[:1].upper() + s[1:] + ".", lambda s: s + ".")


def in_other_words(tables: Tables, rng: np.random.Generator) -> Tables:
    """The same family, otherwise said; a function of the state of `rng`."""
    named = _invented(tables, rng) if rng.random() < INVENTED else str
    style, ways = STYLES[rng.integers(len(STYLES))], 2 if rng.random() < SPOKEN else 1
    menus = tuple(_said(menu, SUBGOALS, rng, named) for menu in dict.fromkeys(tables.menus))
    told = dict(zip(dict.fromkeys(tables.menus), menus, strict=True))  # Actors with one menu keep one
    heard = [_said(tables.observations, OBSERVATIONS, rng, lambda s: style(named(s))) for _ in range(ways)]
    (rules,) = _said((tables.rules,), RULES, rng, named)
    made = replace(
        tables,
        menus=tuple(told[menu] for menu in tables.menus),
        instructions=_said(tables.instructions, INSTRUCTIONS, rng, named),
        rules=rules,
    )
    return _heard(made, heard)


def _said(
    sentences: Sequence[str],
    forms: Sequence[tuple[str, Sequence[str]]],
    rng: np.random.Generator,
    named: Callable[[str], str],
) -> tuple[str, ...]:
    """Each sentence by the first form that fits it whole; as they were where two would become one."""
    drawn = [(re.compile(pattern), ways[int(rng.integers(len(ways)))]) for pattern, ways in forms]

    def say(sentence: str) -> str:
        for pattern, way in drawn:
            if found := pattern.fullmatch(sentence):
                return way.format(*(found.groups() if pattern.groups else (sentence,)))
        return sentence

    said = tuple(" ".join(named(say(sentence)).split()) for sentence in sentences)
    return said if len(set(said)) == len(said) and all(said) else tuple(map(named, sentences))


def _heard(tables: Tables, ways: Sequence[tuple[str, ...]]) -> Tables:
    """The sentences in each of these ways, with equal chances; the first way counts where two meet in one sentence."""
    many = [list(dict.fromkeys(said)) for said in zip(*ways, strict=True)]
    flat = [sentence for group in many for sentence in group]
    if len(set(flat)) < len(flat):
        many = [[group[0]] for group in many]
        flat = [group[0] for group in many]
    of = np.repeat(np.arange(len(many)), [len(group) for group in many])
    share = np.repeat([1 / len(group) for group in many], [len(group) for group in many])
    return replace(
        tables, observations=tuple(flat), emission=tables.emission[:, :, of] * share, reward=tables.reward[of]
    )


def _invented(tables: Tables, rng: np.random.Generator) -> Callable[[str], str]:
    """Has the family's everyday words replaced by words that nobody knows, each by one of its own."""
    lines = [*tables.observations, *tables.instructions, tables.rules, *(s for menu in tables.menus for s in menu)]
    everyday = {word for name in ("place", "thing", "quality", "person") for word in lexicon()[name]}
    used = [w for w in dict.fromkeys(re.findall(r"[a-z]+", " ".join(lines))) if w in everyday]
    names = dict[str, str]()
    for word in used:
        while (made := "".join(rng.choice(SYLLABLES, int(rng.integers(2, 4))))) in {*names.values(), *everyday}:
            pass
        names[word] = made
    return lambda sentence: re.sub(r"[a-z]+", lambda found: names.get(found[0], found[0]), sentence)
