"""What answers of language models choose: a table of answers by kind, as models and servers give them."""

import json
import unicodedata

import pytest

from parley.prompting.answers import parse
from parley.prompting.reasoning import Said, parts_of, without_reasoning

MENU = ["walk on along the corridor", "try the back door", "wait", "look in the cupboard", "wait and see"]
A, B, WAIT, D, SEE = range(5)
NOTHING = None

REASONED = {  # reasoning in any place chooses nothing; what stands beside it does
    "<think>A is long, so not A.</think>B": B,
    "<think>\nOkay, walk on along the corridor?\n</think>\n\nB": B,
    "<thinking>walk on along the corridor</thinking>\ntry the back door": B,
    "<Think>wait</Think> B": B,
    "<reasoning>wait</reasoning>B. try the back door": B,
    "<thought>A</thought>B": B,
    "<scratchpad>A\nA\n</scratchpad>\nB": B,
    "<reflection>wait and see</reflection>wait": WAIT,
    "<antThinking>A</antThinking>B": B,
    "<seed:think>A</seed:think>B": B,
    "<think type='long'>A</think>B": B,
    "[THINK]walk on along the corridor[/THINK]B": B,
    "◁think▷A◁/think▷B": B,
    "<|begin_of_thought|>A<|end_of_thought|>\nB": B,
    "<|START_THINKING|>wait<|END_THINKING|>B": B,
    "<|thinking|>wait</|thinking|>B": B,
    "<unused94>thought\nwait<unused95>B": B,
    "<|channel>thought\nwait<channel|>B": B,
    "Here is my thought process:\nwait\nHere is my response:\nB": B,
    "&lt;think&gt;wait&lt;/think&gt;B": B,
    "<|channel|>analysis<|message|>Should I wait?<|end|><|start|>assistant<|channel|>final<|message|>B<|return|>": B,
    "<|channel|>analysis<|message|>wait<|end|><|start|>assistant<|channel|>final <|constrain|>json<|message|>"
    '{"subgoal": "try the back door"}': B,
    "<|channel|>final<|message|>wait": WAIT,
    "analysisI could wait here.assistantfinalB": B,
    "wait, or perhaps the door</think>B": B,  # the opening stood in the prompt
    "A</think>B</think>wait": WAIT,
    "<think></think>B": B,
    "<think/>B": B,
    "<think>first</think>A is long.<think>second: wait</think>\nB": B,
    "B<think>wait": NOTHING,
    "<think>wait</think>": NOTHING,
    "<think>\nI could try the back door first, since": NOTHING,
    "<think>B": NOTHING,
    "<thinking>Answer: B": NOTHING,
    "[THINK]B": NOTHING,
    "<|channel|>analysis<|message|>I will try the back door": NOTHING,
    "<|channel|>commentary<|message|>B<|end|>": NOTHING,
    "Here is my thought process: wait": NOTHING,
    "◁think▷B": NOTHING,
}

SAID = {  # ways to say one thing
    "B": B,
    "b": B,
    "B.": B,
    "(B)": B,
    "[B]": B,
    "{B}": B,
    "<B>": B,
    "B)": B,
    "B:": B,
    "'B'": B,
    '"B"': B,
    "“B”": B,
    "«B»": B,
    "「B」": B,
    "`B`": B,
    "**B**": B,
    "__B__": B,
    "***B***": B,
    "~B~": B,
    "```\nB\n```": B,
    "```text\nB\n```": B,
    "$B$": B,
    "$$B$$": B,
    r"\(B\)": B,
    r"\[B\]": B,
    r"\boxed{B}": B,
    r"$\boxed{B}$": B,
    r"\[\boxed{\text{B}}\]": B,
    r"The corridor is long, so the answer is $\boxed{\text{B}}$.": B,
    r"\boxed{A} is what I said first, \boxed{B} is what I say now": B,
    r"\text{B}": B,
    r"$\mathbf{B}$": B,
    "<answer>B</answer>": B,
    "<answer>\nB\n</answer>": B,
    "<answer>B": B,
    "I would wait. <answer>B</answer>": B,
    "<final_answer>try the back door</final_answer>": B,
    "<choice>B. try the back door</choice>": B,
    "<b>B</b>": B,
    "<p><b>B</b></p>": B,
    "Answer: B": B,
    "answer:B": B,
    "ANSWER : B": B,
    "**Answer**: B": B,
    "**Answer:** B": B,
    "**Answer: B**": B,
    "*Answer*: *B*": B,
    "Answer:\nB": B,
    "Answer: (B)": B,
    "Answer: **B. try the back door**": B,
    "Answer: $B$": B,
    r"Answer: \boxed{B}": B,
    "Answer：B": B,
    "Final answer: B": B,
    "Final Answer: B.": B,
    "The final answer is: B": B,
    "The answer is B.": B,
    "My answer is B": B,
    "The correct answer is (B).": B,
    "### Answer\nB": B,
    "## Final answer\n**B**": B,
    "Choice: B": B,
    "My choice: B": B,
    "Decision: try the back door": B,
    "Subgoal: B": B,
    "subgoal = try the back door": B,
    "Option B": B,
    "Option B: try the back door": B,
    "option (B)": B,
    "Choice B.": B,
    "I choose B.": B,
    "I choose option B because it is shorter.": B,
    "I'll go with B": B,
    "I will pick B, since the door may be open.": B,
    "Let's go for option B!": B,
    "I select letter B.": B,
    "I opt for B": B,
    "Answer: B because the corridor is long": B,
    "Answer: B\n\nExplanation: the corridor takes all the time there is.": B,
    "Antwort: B": B,
    "Réponse : B": B,
    "Respuesta: B": B,
    "Risposta: B": B,
    "Ответ: B": B,
    "答案：B": B,
    "回答：B": B,
    "答えは: B": B,
    "정답: B": B,
    "Ｂ": B,
    "（Ｂ）": B,
    "Ⓑ": B,
    "𝐁": B,
    "𝗕.": B,
    "\u200bB\u200b": B,
    "\ufeffB": B,
    "B\u00ad": B,
    "\u202aB\u202c": B,
    "try\u200b the back\u00a0door": B,
    "ｔｒｙ　ｔｈｅ　ｂａｃｋ　ｄｏｏｒ": B,
    "B<|im_end|>": B,
    "B</s>": B,
    "<s>B</s>": B,
    "B<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nA": B,
    "<|assistant|>B<|end|>": B,
    "assistant<|end_header_id|>\n\nB<|eot_id|>": B,
    "B<end_of_turn>\n<start_of_turn>user\nA": B,
    "B<｜end▁of▁sentence｜>": B,
    "B<|endoftext|>A": B,
    "[/INST] B": B,
    "> B": B,
    "- B": B,
    "* B. try the back door": B,
    "1. B": B,
    "B - try the back door": B,
    "B: try the back door": B,
    "B – try the back door": B,
    "B try the back door": B,
    "B, try the back door": B,
    "B. Try the back door because it is shorter.": B,
    "B. try the ba": B,
    "Try the back door!": B,
    "try the back door?": B,
    "TRY THE BACK DOOR": B,
    "  try   the back\tdoor ": B,
    "> try the back door\n": B,
    '{"subgoal": "try the back door"}': B,
    '{"subgoal": "B"}': B,
    '{"subgoal": "B. try the back door"}': B,
    '{"answer": "B", "reasoning": "to wait is long"}': B,
    '{"thought": "wait", "action": "try the back door"}': B,
    '{"choice": {"letter": "B"}}': B,
    '{"Answer": ["B"]}': B,
    '["B"]': B,
    '```json\n{"subgoal": "try the back door"}\n```': B,
    'Here it is: {"subgoal": "try the back door"}': B,
    "{'subgoal': 'try the back door'}": B,
    '{"subgoal": "try the back door"}}': B,
    '{"name": "choose", "arguments": {"subgoal": "B"}}': B,
    '{"subgoal": "wait", "confidence": 0.9, "explanation": "A is too long"}': WAIT,
    "I think we should try the back door, not walk on along the corridor.": B,
    "I would not wait. Try the back door.": B,
    "The corridor is long, so I try the back door.": B,
    "Rather than wait: try the back door": B,
    "I try the back door rather than wait.": B,
    "try the back door instead of waiting": B,
    "I choose to wait and see.": SEE,
    "Should I walk on along the corridor? No. I try the back door.": B,
    "Option A is too long, option B is better.": B,
    "Answer: A or B?\nAnswer: B": B,
    "Answer: A\nNo. Answer: D": D,
}

UNSAID = [  # what chooses nothing, or more than one thing
    "",
    " \n\t",
    "\u200b",
    "...",
    "F",
    "Z.",
    "AB",
    "2",
    "fly to the moon",
    "Answer:",
    "Answer: none",
    "Answer: not B",
    "Answer: A or B",
    "A\nB",
    "A, B",
    "A/B",
    "A or B",
    "both A and B",
    "A. try the back door",
    "I choose A. I choose B.",
    "walk on along the corridor or try the back door",
    "I would not try the back door.",
    "I won't try the back door",
    "I will never wait",
    "Don't try the back door!",
    "Do not wait.",
    "Avoid the corridor: it would be wrong to wait",
    "anything but wait",
    "instead of wait",
    "try the back door is not good",
    "try the back door would be a mistake",
    "If I wait the door may open.",
    "Should I wait?",
    "Should I try the back door? It is a risk.",
    "I am not sure whether to wait",
    "I wouldn't choose B.",
    "The answer is not B.",
    "awaiting orders",
    "the waiter",
    "waits",
    "re-wait",
    "wait-list",
    "wait's",
    "look in the cupboards",
    "A good question.",
    "A door is there.",
    "I choose a door",
    "Bee",
    "B2",
    "{}",
    "[]",
    "null",
    '{"subgoal": null}',
    '{"subgoal": 3}',
    '{"subgoal": "fly"}',
    '{"subgoal": ["A", "B"]}',
    '{"subgoal": "A", "subgoal": "B"}',
    '{"subgoal": "A", "answer": "B"}',
    '{"reasoning": "try the back door"}',
    '{"a": "wait", "b": "try the back door"}',
    "[" * 50_000,
    "{" * 50_000,
    "I'm sorry, I can't help with that.",
    "As an AI language model, I cannot choose.",
    "<html><head><title>B</title></head></html> <p>not found",
]

CUT = {  # answers that a limit ended
    "B": B,
    "B\n": B,
    "B. try the back do": B,
    "try the back door": B,
    "B\nThe corridor is": B,
    "Answer: B\nThe corr": B,
    "Answer: B. The corr": B,
    '{"subgoal": "try the back door': B,
    "wait": NOTHING,  # and see?
    "wait\n": WAIT,
    "wait and s": NOTHING,
    '{"subgoal": "wait': NOTHING,
    "try the back": NOTHING,
    "I could try the back door first, since": NOTHING,
    "Okay. Should I wait? Or try the back door": NOTHING,
    "The choices:\nB. try the back door": NOTHING,
    "Let me think.\nA. walk on along the corridor: that is long.\n": NOTHING,
    "<think>\nOkay, I have to choose. I could try the back door first, since": NOTHING,
    "Answer:": NOTHING,
    "": NOTHING,
}

ALIKE = [  # menus whose entries are nearly the same: each is itself
    ["Go north", "go north"],
    ["GO", "Go", "go"],
    ["open", "open!", "open?", "open."],
    ["a b", "a  b", "a\tb"],
    ["<", ">", ".", ","],
    ["+", "-", "*", "/"],
    ["h", "j", "k", "l", "H", "J"],
    ["B", "A"],
    ["strasse", "straße", "STRASSE"],
    ["ﬁsh", "fish"],
    [unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")],
    ["１", "1"],
    ["Ａ", "A", "a"],
    ["x²", "x2"],
    ['{"go": "left"}', '{"go": "right"}'],
    ["say: answer: yes", "say: answer: no"],
    ["Answer: A", "Answer: B"],
    ["<answer>", "</answer>"],
    ["<think>", "</think>", "think"],
    ["**bold**", "bold", "*bold*"],
    ['"quoted"', "quoted"],
    ["1.", "1", "1)"],
    ["-3", "3", "+3"],
    ["open chest 1", "open chest 12", "open chest 1.2", "open chest -1"],
    ["not this", "this"],
    ["don't wait", "wait"],
    ["A. wait", "wait"],
    ["a\u200bb", "ab"],
    ["❤", "❤\ufe0f"],
    ["\u0661", "1"],
    ["end</s>", "end"],
    [" leading", "leading", "leading "],
    ["left\nright", "left right"],
]


def test_the_table_is_long_enough():
    assert len(REASONED) + len(SAID) + len(UNSAID) + len(CUT) + sum(map(len, ALIKE)) >= 200


@pytest.mark.parametrize(("answer", "chosen"), [*REASONED.items(), *SAID.items()])
def test_what_an_answer_chooses(answer, chosen):
    assert parse(answer, MENU) == chosen


@pytest.mark.parametrize("answer", UNSAID, ids=lambda answer: answer[:30])
def test_what_chooses_nothing(answer):
    assert parse(answer, MENU) is None


@pytest.mark.parametrize(("answer", "chosen"), CUT.items())
def test_of_an_answer_that_was_cut_off_only_what_is_whole_counts(answer, chosen):
    assert parse(answer, MENU, cut=True) == chosen


@pytest.mark.parametrize("menu", ALIKE, ids=str)
def test_an_entry_character_by_character_is_that_entry(menu):
    for i, entry in enumerate(menu):
        assert parse(entry, menu) == i
        assert parse(json.dumps({"subgoal": entry}), menu) == i
        assert parse(json.dumps({"subgoal": entry}, ensure_ascii=False), menu) == i


@pytest.mark.parametrize(
    ("answer", "menu", "chosen"),
    [
        ("GO NORTH", ["Go north", "go north"], None),
        ("Go north.", ["Go north", "go north"], 0),
        ('"go north"', ["Go north", "go north"], 1),
        ("I choose: Go north", ["Go north", "go north"], 0),
        ("open chest 12", ["open chest 1", "open chest 12"], 1),
        ("I open chest 12 now", ["open chest 1", "open chest 12"], 1),
        ("I open chest 1.", ["open chest 1", "open chest 12"], 0),
        ("open chest 1.5", ["open chest 1", "open chest 5"], None),
        ("open chest 123", ["open chest 1", "open chest 12"], None),
        ("open chest 1,000", ["open chest 1", "open chest 000"], None),
        ("-3.", ["-3", "3"], 0),
        ("I do not open the door", ["do not open the door", "open the door"], 0),
        ("I choose not this", ["not this", "this"], 0),
        ("我选择打开门。", ["打开门", "等待"], 0),
        ("我不打开门。", ["打开门", "等待"], None),
        ("ドアを開ける", ["ドアを開ける", "待つ"], 0),
        ("je choisis ouvrir la porte", ["ouvrir la porte", "attendre"], 0),
        ("n'attends pas ouvrir la porte", ["ouvrir la porte", "attendre"], None),
        ("cafe\u0301s", ["cafe", "tea"], None),
        ("A", ["wait"] * 1 + ["B"], 0),
        ("A", [f"n{i}" for i in range(30)], 0),
        ("AA", [f"n{i}" for i in range(30)], 26),
        ("Aa", [f"n{i}" for i in range(30)], None),
        ("I", [f"n{i}" for i in range(30)], 8),
        ("I think so", [f"n{i}" for i in range(30)], None),
        ("it is closed. open the door-handle", ["open the door", "wait"], None),
        ("٣", ["open 1", "3"], 1),
        ("same", ["same", "same"], None),
    ],
)
def test_menus_of_other_kinds(answer, menu, chosen):
    assert parse(answer, menu) == chosen


@pytest.mark.parametrize("name", ["A", "AA"])
def test_a_letter_that_was_cut_off_may_be_the_beginning_of_another(name):
    menu = [f"n{i}" for i in range(30)]
    assert parse(name, menu, cut=True) == (None if name == "A" else 26)


@pytest.mark.parametrize(
    ("content", "said", "thought"),
    [
        ("B", "B", ""),
        (None, "", ""),
        ([], "", ""),
        ([{"type": "text", "text": "B"}], "B", ""),
        ([{"type": "text", "text": "try "}, {"type": "text", "text": "it"}], "try it", ""),
        (
            [{"type": "thinking", "thinking": [{"type": "text", "text": "wait"}]}, {"type": "text", "text": "B"}],
            "B",
            "wait",
        ),
        ([{"type": "reasoning", "text": "wait"}, {"type": "output_text", "text": "B"}], "B", "wait"),
        ([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "wait"}]}, "B"], "B", "wait"),
        ([{"thinking": "wait"}, {"text": "B"}], "B", "wait"),
        ([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "B"}], "B", ""),
        ({"type": "text", "text": "B"}, "B", ""),
        ([{"type": "redacted_thinking", "data": "xyz"}, {"type": "text", "text": "B"}], "B", ""),
        ([{"type": "text", "text": {"value": "B", "annotations": []}}], "B", ""),
        ({"role": "model", "parts": [{"text": "B"}]}, "B", ""),
        ([1, None, {"type": "text"}, {"type": "text", "text": 3}, {"type": "text", "text": "B"}], "B", ""),
    ],
)
def test_contents_are_read_part_by_part(content, said, thought):
    assert parts_of(content) == (said, thought)


@pytest.mark.parametrize(
    ("message", "finish", "said", "unfinished"),
    [
        ({"content": "B", "reasoning_content": "wait"}, "stop", "B", False),
        ({"content": "B", "reasoning": "wait"}, "stop", "B", False),
        ({"content": None, "reasoning_content": "I wait"}, "length", "", True),
        ({"content": "", "reasoning": "B"}, "stop", "", False),
        ({"content": "<think>wait", "reasoning_content": ""}, "stop", "", True),
        ({"content": None, "refusal": "No."}, "stop", "", False),
        ({"content": "", "reasoning_details": [{"text": "wait"}]}, None, "", False),
        ({"content": [{"type": "refusal", "refusal": "No."}]}, "stop", "", False),
        ({"content": "B"}, "MAX_TOKENS", "B", True),
        ({"content": "B"}, "abort", "B", True),
        ({"content": "B"}, "insufficient_system_resource", "B", True),
        ({"content": "B"}, "eos_token", "B", False),
        ({}, "stop", "", False),
    ],
)
def test_messages(message, finish, said, unfinished):
    found = Said.in_choice({"message": message, "finish_reason": finish}, chat=True)
    assert (found.text, found.unfinished) == (said, unfinished)
    assert Said.of(json.loads(json.dumps(found.kept))) == found
    assert found.refused == ("refusal" in str(message))


def test_what_older_logs_hold_is_read_as_it_is():
    assert Said.of("B") == Said("B") and Said("B").kept == "B"


@pytest.mark.parametrize(
    "mark", ["<think>", "</think>", "[THINK]", "<|channel|>analysis<|message|>", "Answer:", "\\boxed{"]
)
def test_marks_without_end_take_no_time(mark):
    text = mark * 20_000
    without_reasoning(text)
    parse(text, MENU)
