"""The faults that a card names, and the questions of the Bayes suite that show them."""

from parley.bench.entries import Fault, Measured, above, below_share


def _harms(m: Measured) -> bool | None:
    return True if m.interval.high < 0 else False if m.interval.low >= 0 else None


FORGETS = Fault("forgets", "Earlier episodes hardly change its proposals: it forgets what it heard.", below_share(0.25))
COPIES = Fault("copies", "It repeats its last choice, whatever came of it.", above(0.1))
DELUDED = Fault("deluded", "It takes its own choices for evidence: a choice made often is made more often.", above(0.1))
RECENT = Fault("recency", "It weighs late episodes more than early ones, though their order says nothing.", above(0.2))
PLACE = Fault(
    "position", "It prefers a place of the menu, whatever stands there.", above(0.1), unless=("another's memory",)
)
FOREIGN = Fault("another's memory", "Its proposals follow the history of another run, not its own.", above(0.1))
ASTRAY = Fault(
    "another's memory",
    "Its proposals move, but not with its own history.",
    below_share(0.25),
    unless=("forgets", "copies"),
)
SAME = Fault(
    "another's memory",
    "Its proposals are the same in runs whose histories differ.",
    below_share(0.25),
    unless=("forgets",),
)
CHEATS = Fault(
    "shown the answer", "It gains where no earlier episode can tell anything: it was shown the answer.", above(0.02)
)
HARMS = Fault("harmful memory", "It loses more with this memory than with none.", _harms)
INVALID = Fault("unusable answers", "Many of its answers choose nothing of the menu.", above(0.05))


QUESTIONS = (
    ("apart", "total variation of its proposals to Bayesian aggregated imitation (BAIL)", (0.0, 1.0), None),
    ("moved", "total variation between its proposals now and at first", (0.0, 1.0), FORGETS),
    ("overconfidence", "probability of its likeliest proposal, less the expert's", (-1.0, 1.0), None),
    ("repeats", "excess probability of its last choice", (-1.0, 1.0), COPIES),
    ("recency", "lean from the early to the late half of its history", (-1.0, 1.0), RECENT),
    ("own", "how far its proposals go with its own history, more than with others", (-0.5, 0.5), ASTRAY),
    ("differs", "total variation of its proposals to their mean over runs", (0.0, 1.0), SAME),
    ("another", "how much better it goes with another run's history", (-0.5, 0.5), FOREIGN),
)
