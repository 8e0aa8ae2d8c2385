"""Which entries of a menu a text speaks of, and which of them it chooses: none within a word, a denial or a question.

The rules are about words in English, with a few of other languages. They err on one side: what they do not understand
is no choice, and is asked for again.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice

from parley.prompting.framing import IS, WORDS

NOT_BEFORE = re.compile(
    r"\b(?:not|never|no|none|nor|neither|cannot|without|except|than|against|unlike|stop|if|whether|unless|until|"
    r"suppose|supposing|imagine|avoid\w*|reject\w*|refus\w*|exclud\w*|skip\w*|dismiss\w*|rul(?:e|es|ed|ing) out|"
    r"instead of|rather than|anything but|nothing but|mistake|wrong|bad idea|hardly|scarcely|barely|unable|impossible|"
    r"pointless|useless|unwise|unnecessary|dangerous|foolish|silly|afraid|forbid\w*|hesitat\w*|decid\w+ against|"
    r"fail(?:s|ed|ing)? to|"
    r"nicht|kein\w*|nie|niemals|statt|ohne|pas|jamais|aucun\w*|non|sans|nunca|jamás|tampoco|evit\w*|senza|né|mai|"
    r"nao|não|sem|nem|niet|geen|nooit|zonder|inte|ikke|aldri|aldrig|bez|nigdy|nelze|değil|không|đừng|tidak|jangan|bukan|"
    r"нет|не|ни|нельзя|никогда|без|незачем|δεν|μην|όχι|לא|אל|בלי|لا|لن|لم|ليس|بدون)\b|"
    r"\w+n['’]t\b|नहीं|मत\b|ไม่|อย่า|不|别|別|勿|没|沒|無|无|毋|未|"
    r"안 |못 ",
    re.IGNORECASE,
)
NOT_AFTER = re.compile(
    r"\s*(?:(?:\(|[-–—]\s*|\s)(?:\w+\s+){0,4}?(?:not|never|no|wrong|bad|worse|worst|mistake|"
    r"impossible|useless|pointless|dangerous|risky|too|fails?|failed|failing|out of the question|ruled out|"
    r"excluded|unwise|\w+n['’]t|nicht|falsch|pas)\b|"
    r"\s*[❌✗✘🚫⛔👎]|"
    r"\s*[^\W\d_a-z]{0,12}?(?:ない|ません|せず|べからず|まい|だめ|ダメ|禁止|不好|不行|不对|不可|没用|않|말고|말아))",
    re.IGNORECASE,
)
OR = r"(?:or|oder|ou|или|lub|还是|還是|或者?|または|또는)"
OR_BEFORE = re.compile(rf"(?:\b|(?<=[\u3040-\u9fff])){OR}\s*(?:to\s|the\s|i\s)?$|/$", re.IGNORECASE)
OR_AFTER = re.compile(rf"\s*,?\s?{OR}(?![a-z])|/", re.IGNORECASE)
CLAUSE = re.compile(
    r"[.!?;:\n。！？；：]+|(?<=[\u3040-\u30ff\u3400-\u9fff])[,，]|[,，](?=[\u3040-\u30ff\u3400-\u9fff])|→|=>|->|"
    r"\b(?:(?<!anything )(?<!nothing )but|so|therefore|thus|hence|instead(?! of)|however|"
    r"sondern|aber|deshalb|daher|mais|donc|sino|pero|però|quindi|mas|maar|men|но|поэтому)\b",
    re.IGNORECASE,
)
MARKUP = r"[\s:=*_`\"'(\[{$\\]*"
UNJOINED = r"(?![^\W\u0e00-\u0eff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|['’-])"  # to a word in Latin letters
PHRASE = re.compile(
    rf"\b(?i:{WORDS}|choose|choosing|chose|pick|picking|select|selecting|decide|letter|take|taking|"
    r"go(?:ing)? (?:with|for)|opt(?:ing)? for|prefer|vote for|wähle|nehme|wahl|choisis|prends|elijo|escojo|selecciono|"
    r"scelgo|opzione|escolho|kies|optie|wybieram|vælger|väljer|velger|выбираю|выберу|вариант)\b"
    + MARKUP
    + rf"(?:(?i:{IS}|will be|would be|must be|should be|on|for|the|option|choice|letter|answer|"
    r"la|le|el|il|l|a|o|die|der|den|de|opción|opzione|opção|optie|вариант|ответ)\b"
    + MARKUP
    + r"){0,3}(?P<letter>[A-Z]{1,2}|(?<!\w)[a-z])"
    + UNJOINED
    + r"|(?:选择?|選擇?|选项|選項|答案(?:应该|應該)?(?:是|为|為)|答え?は|正解は|回答は|選択肢(?:は)?|정답은|답은)"
    + MARKUP
    + r"(?P<cjk>[A-Z]{1,2})(?![A-Za-z0-9])"
    r"|(?<![A-Za-z0-9])(?P<before>[A-Z]{1,2})\s*(?:です|だ(?!\w)|を選|にします|입니다|를 선택|을 선택|选项|項|项)"
    r"|[(\[](?P<brackets>[A-Z]{1,2})[)\]]"
)
SINGLE = re.compile(r"(?<![\w'’])([A-Z]{1,2})(?![\w'’])")
WORD = re.compile(r"[\w'’]+")
STOPS = re.compile(r"(?<!\b[a-z])\.(?!\d)|[!;\n。！；]|\b(?i:(?<!anything )(?<!nothing )but|so|therefore|thus|hence)\b")
# Words that say nothing but that what stands beside them is chosen.
FILLING = frozenset(
    "i think believe guess say would will should must we it is be it's its that this so hence thus therefore then ok "
    "okay sure yes yeah well hmm probably maybe perhaps definitely certainly clearly obviously now finally again let's "
    "lets let us try take do use go with my the best right correct safest better only choice option answer letter "
    "choose pick select i'd i'll i'm certainly of course again".split()
)
FUNCTION = re.compile(r"no|none|nothing|never|nor|neither|not|non|nein|nichts|nada|rien", re.IGNORECASE)
AFTER_FUNCTION = re.compile(r"\s+\w")
INTERJECTION = re.compile(r"wait|hold on|stop|look|listen|see")
BEFORE_INTERJECTION = re.compile(r"(?:^|[.!?;:,\n])\s*$")
AFTER_INTERJECTION = re.compile(r"\s*(?:,|!|\.\.|…|—|–|-\s)\s*(?!because|since|as\b|for\b|until|so\b)\w")
AFTER_LETTER = re.compile(r"[\s*_`\"')\]}$]*(?:$|[.,;:!?\n—–]|(?:because|since|as|over|for now|here)\b)")
BEFORE = 400  # characters in which a clause begins
MOST = 400  # mentions; what names more chooses nothing
SHORT = 3  # letters of a word that tells no two entries apart
SENTENCE = re.compile(r"[.!?;\n。！？；]")
UNSPACED = ((0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF))


def chosen(text: str, entries: Sequence[str]) -> set[int]:
    """The entries that a text names without denying them; both as `likeness.plain` makes them.

    One that is part of another one found there does not count.

    >>> chosen("not the door, but the corridor", ["door", "corridor"])
    {1}
    """
    found = ((i, entry) for i, entry in enumerate(entries) if entry and entry in text)
    spans = list(islice(((*place, i) for i, entry in found for place in _places(text, entry)), MOST + 1))
    if len(spans) > MOST:
        return set()
    outer = [(b, e, i) for b, e, i in spans if not any(c <= b and e <= f and (c, f) != (b, e) for c, f, _ in spans)]
    words = text
    for begin, end, _ in outer:  # a word of an entry denies nothing
        words = words[:begin] + ("一" if _unspaced(text[end - 1]) else "x") * (end - begin) + words[end:]
    meant = (span for span in outer if not (refused(words, *span[:2]) or _in_passing(text, *span[:2])))
    return {i for begin, end, i in meant if not _part_of_another(words, begin, end, entries[i], entries)}


def _in_passing(text: str, begin: int, end: int) -> bool:
    """Whether an entry that is a word like "no" or "wait" is said as people say it: "no idea", "wait, let me see"."""
    entry = text[begin:end]
    if FUNCTION.fullmatch(entry):
        return bool(AFTER_FUNCTION.match(text, end))
    if not INTERJECTION.fullmatch(entry):
        return False
    return bool(BEFORE_INTERJECTION.search(text, 0, begin) and AFTER_INTERJECTION.match(text, end))


def _part_of_another(text: str, begin: int, end: int, entry: str, entries: Sequence[str]) -> bool:
    """Whether what stands beside an entry in its clause are words of a longer entry that holds it."""
    longer = [other for other in entries if len(other) > len(entry) and entry in other]
    if not longer:
        return False
    stop = CLAUSE.search(text, end)
    words = set(WORD.findall(text[end : stop.start() if stop else len(text)]))
    return any(
        word in words for other in longer for word in WORD.findall(other.partition(entry)[2]) if len(word) > SHORT
    )


def named(text: str, names: Sequence[str]) -> set[int]:
    """The entries whose letters a text chooses in so many words: "I choose B", "option B", "the answer is B"."""
    index = {name: i for i, name in enumerate(names)}
    found = set()
    for phrase in islice(PHRASE.finditer(text), MOST):
        kind = phrase.lastgroup or ""
        begin, end = phrase.span(kind)
        i = index.get(phrase[kind].upper())
        if i is not None and _is_letter(text, end, phrase[kind]) and not refused(text, phrase.start(), end):
            found.add(i)
    return found


def beside(text: str, names: Sequence[str]) -> set[int]:
    """The entries whose letters stand alone in a text, and are not denied."""
    index = {name: i for i, name in enumerate(names)}
    return {
        index[letter[1]]
        for letter in islice(SINGLE.finditer(text), MOST)
        if letter[1] in index and _is_letter(text, letter.end(), letter[1]) and not denied(text, *letter.span())
    }


def filled(text: str, names: Sequence[str]) -> set[int]:
    """The entries of sentences that say a letter and nothing else: "So, B.", "I think it is B", "B is the best".

    >>> filled("Plan A failed. So it is B.", ["A", "B"])
    {1}
    """
    index = {name: i for i, name in enumerate(names)}
    found = set()
    for sentence in STOPS.split(text):
        words = [] if "?" in sentence else WORD.findall(sentence)
        said = {i for i, word in enumerate(words) if word in index and (word not in "AI" or _is_name(words, i))}
        others = (word.casefold() for i, word in enumerate(words) if i not in said)
        if len(said) == 1 and all(word in FILLING for word in others):
            found.add(index[words[said.pop()]])
    return found


def _is_name(words: Sequence[str], at: int) -> bool:
    """Whether A or I is a letter: it ends a sentence, or "is" follows."""
    return at == len(words) - 1 or words[at + 1] == "is"


def _is_letter(text: str, end: int, letter: str) -> bool:
    """Whether a letter stands for an entry, where it might be a word of a language."""
    return (letter.isupper() and letter not in ("A", "I")) or bool(AFTER_LETTER.match(text, end))


def _places(text: str, entry: str) -> Iterator[tuple[int, int]]:
    """Where an entry stands as words of its own."""
    begin = text.find(entry)
    while begin >= 0:
        end = begin + len(entry)
        if not (joined(text[:begin][-2:], entry[0]) or _goes_on(text, end)):
            yield begin, end
        begin = text.find(entry, end)


def _goes_on(text: str, end: int) -> bool:
    return joined(text[end - 1 : end], text[end : end + 1], text[end + 1 : end + 2])


def joined(before: str, after: str, next_one: str = "") -> bool:
    """Whether what ends with `before` and what begins with `after` are one word or one number.

    Next to a hyphen, an apostrophe or a decimal point the character beyond it decides. `before` may hold two
    characters, and `next_one` is the one beyond `after`.
    """
    if not before or not after:
        return False
    last, first = before[-1], after[0]
    if _word(last) and _word(first):
        return not (_unspaced(last) or _unspaced(first))
    if unicodedata.category(first).startswith("M"):
        return True
    if last in "-'’‐_+" and _word(first):
        return len(before) > 1 and _word(before[-2]) or (last in "-+" and first.isdigit())
    if first in "-'’‐_" and _word(last):
        return bool(next_one) and _word(next_one)
    if first in "%‰°" and last.isdigit():
        return True
    if last in ".,/" and first.isdigit():
        return len(before) > 1 and before[-2].isdigit()
    return first in ".,/" and last.isdigit() and bool(next_one) and next_one.isdigit()


def _word(c: str) -> bool:
    return c.isalnum() or c == "_"


@lru_cache(maxsize=4096)
def _unspaced(c: str) -> bool:
    """Whether a character is of a script that is written without spaces between words."""
    return any(low <= ord(c) <= high for low, high in UNSPACED)


def refused(text: str, begin: int, end: int) -> bool:
    """Whether what stands there is denied, or is one of two that are named: "A or B"."""
    return denied(text, begin, end) or bool(
        OR_BEFORE.search(text, max(0, begin - 20), begin) or OR_AFTER.match(text, end)
    )


def denied(text: str, begin: int, end: int) -> bool:
    """Whether what stands at `begin` to `end` is denied, doubted or asked about in its clause."""
    first, last = max(0, begin - BEFORE), len(text)
    for mark in CLAUSE.finditer(text, first, begin + 1):  # it looks one character ahead
        first = mark.end() if mark.end() <= begin else first
    if NOT_BEFORE.search(text, first, begin):
        return True
    if stop := CLAUSE.search(text, end):
        last = stop.start()
    if NOT_AFTER.match(text[end:last]):
        return True
    ends = SENTENCE.search(text, end)
    return ends is not None and ends[0] == "?"
