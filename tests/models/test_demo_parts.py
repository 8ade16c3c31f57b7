"""What the demonstration model reads without a model: words, numbers, dates, arguments."""

from __future__ import annotations

import datetime

import pytest

from minimalagent_nb.models import ToolSpec
from minimalagent_nb.models.demo_arguments import Choice, fill, grammar
from minimalagent_nb.models.demo_prompts import (
    choices_body,
    chosen_values,
)
from minimalagent_nb.models.demo_words import matches, numbers_in, read, stem, words_of_name
from tests.benchmarks.demo_model.toolsets import specs

TODAY = datetime.date(2025, 3, 10)  # a Monday
TOOLS = {tool.name: tool for name in ("penguins", "calendar", "shop") for tool in specs(name)}
TOOLS |= {tool.name: tool for name in ("figures", "kitchen", "taxi") for tool in specs(name)}


def reading(text: str):
    return read(text, TODAY)


def tool(**properties) -> ToolSpec:
    required = [name for name, node in properties.items() if "default" not in node]
    schema = {"type": "object", "properties": properties, "required": required}
    return ToolSpec("make_thing", "Make a thing.", schema)


# -- words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("the top 3", [3]),
        ("2,500 at 3.5% for four years", [2500, 3.5, 4]),
        ("-7 degrees", [-7]),
        ("twenty-one, thirty and a dozen", [21, 30, 12]),
        ("on 2025-03-14 at 19", [19]),
        ("on 2 April 2025", []),
        ("version v2 of Q3", []),
        ("minus 5, \u22124, negative three, ten minus 2", [-5, -4, -3, 10, 2]),
        ("two hundred and five, 2.5 million, one hundred thousand", [205, 2_500_000, 100_000]),
        ("two dozen", [24]),
        ("1.5e3 and 2.5.1", []),
        ("9" * 5000, []),
        ("9" * 400 + ".5", []),
        ("tomorrow at 15:30, the top 5", [15, 5]),
        ("at 7 pm or 12 a.m.", [19, 0]),
        ("nothing", []),
    ],
)
def test_numbers_outside_of_dates_are_read(text, values):
    assert [found.value for found in reading(text).numbers] == values


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2025-05-06", "2025-05-06"),
        ("6.5.2025", "2025-05-06"),
        ("6 May 2025", "2025-05-06"),
        ("the 6th of May", "2025-05-06"),
        ("May 6th, 2026", "2026-05-06"),
        ("Sept. 1", "2025-09-01"),
        ("today's", "2025-03-10"),
        ("tomorrow", "2025-03-11"),
        ("yesterday", "2025-03-09"),
        ("on Friday", "2025-03-14"),
        ("on Monday", "2025-03-17"),
        ("last Friday", "2025-03-07"),
        ("last Monday", "2025-03-03"),
        ("next Friday", "2025-03-14"),
        ("the day after tomorrow", "2025-03-12"),
        ("the day before yesterday", "2025-03-08"),
        ("3 days ago", "2025-03-07"),
        ("a week ago", "2025-03-03"),
        ("2025/05/06", "2025-05-06"),
    ],
)
def test_dates_are_read(text, day):
    assert [str(found.value) for found in reading(text).dates] == [day]


def test_times_of_the_day_are_read():
    times = reading("15:30, 4 pm, 12:05 a.m., 8:15:00 and 25:00").times
    assert [str(found.value) for found in times] == ["15:30:00", "16:00:00", "00:05:00", "08:15:00"]


@pytest.mark.parametrize("text", ["2025-02-30", "31 June", "I may go", "may 99"])
def test_what_is_no_day_is_no_date(text):
    assert reading(text).dates == ()


def test_every_number_that_is_stated_is_seen():
    stated = numbers_in("210mm, $1,000.50, Q3, minus -4 and three; one of them 5%")
    assert stated == {210, 1000.5, 3, -4, 5}


def test_forms_of_a_word_are_one():
    for one, other in [("islands", "island"), ("cities", "city"), ("western", "west")]:
        assert matches(stem(one), stem(other))
    assert not matches(stem("mean"), stem("measurement"))
    assert words_of_name("body_mass_g bodyMass") == ["body", "mass", "g", "body", "mass"]


# -- arguments ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("count_penguins", "How many of each species?", {"by": "species"}),
        ("heaviest_penguins", "the heaviest ones", {}),
        (
            "revenue",
            "the second quarter in the western region",
            {"quarter": "Q2", "region": "west"},
        ),
        ("revenue", "Q4 in the North", {"quarter": "Q4", "region": "north"}),
        ("roll_dice", "two dice with 20 sides", {"count": 2, "sides": 20}),
        (
            "compound_interest",
            "after 3 years at 2.5 percent on 900",
            {"principal": 900, "rate": 2.5, "years": 3},
        ),
        (
            "convert",
            "How many pounds are 3 kg?",
            {"value": 3, "from_unit": "kg", "to_unit": "pounds"},
        ),
        ("convert", "from miles to km: 4", {"value": 4, "from_unit": "miles", "to_unit": "km"}),
        ("convert", "9 miles into km", {"value": 9, "from_unit": "miles", "to_unit": "km"}),
        ("cancel_event", 'Delete "Lunch, maybe"', {"title": "Lunch, maybe"}),
        ("count_words", "Count the words in: a b c.", {"text": "a b c"}),
        ("find_customer", "Where does Maria Lopez live?", {"name": "Maria Lopez"}),
        ("find_recipes", "with eggs, rice and dill", {"ingredients": ["eggs", "rice", "dill"]}),
        (
            "find_recipes",
            "vegetarian ones with rice",
            {"ingredients": ["rice"], "vegetarian": True},
        ),
        (
            "trips_between",
            "from 1 May 2024 to 3 May 2024",
            {"start": "2024-05-01", "end": "2024-05-03"},
        ),
        ("add_event", "Add tea on Friday at 16", {"title": "tea", "day": "2025-03-14", "hour": 16}),
    ],
)
def test_arguments_that_the_request_names(name, text, values):
    found = fill(TOOLS[name], reading(text))
    if found.open:  # only the text is left to the model, among pieces of the request
        assert {item.name for item in found.open} <= {"name", "title"}
        assert all(values[item.name] in item.options for item in found.open)
        values = {k: v for k, v in values.items() if k not in {item.name for item in found.open}}
    assert found.values == values
    assert found.missing == []


def test_what_is_not_named_is_missing_or_left_to_its_default():
    assert fill(TOOLS["compound_interest"], reading("interest for 9 years")).missing == [
        "principal",
        "rate",
    ]
    assert fill(TOOLS["top_products"], reading("best sellers")).values == {}


def test_what_is_not_said_again_comes_from_the_call_before():
    before = {"measurement": "body_mass_g", "by": "species"}
    found = fill(TOOLS["mean_measurement"], reading("And the flipper length?"), before)
    assert found.values == {"measurement": "flipper_length_mm", "by": "species"}
    assert found.open == []


def test_choices_that_tie_or_are_not_named_are_open():
    found = fill(TOOLS["mean_measurement"], reading("How deep are the bills by island?"))
    assert found.open == [Choice("measurement", ("bill_length_mm", "bill_depth_mm"), closed=True)]
    assert found.values == {"by": "island"}


def test_a_whole_number_is_not_asked_to_be_a_fraction():
    spec = tool(count={"type": "integer"}, weight={"type": "number"})
    assert fill(spec, reading("2.5 and 3")).values == {"weight": 2.5, "count": 3}
    assert fill(tool(count={"type": "integer"}), reading("2.5")).missing == ["count"]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("make it verbose", True),
        ("make it, but not verbose", False),
        ("make it with verbose off", False),
    ],
)
def test_flags_are_named_or_denied(text, value):
    spec = tool(verbose={"type": "boolean", "default": False})
    assert fill(spec, reading(text)).values == {"verbose": value}


def test_a_flag_without_a_name_is_on_or_off():
    spec = tool(state={"type": "boolean"})
    assert fill(spec, reading("Turn the lamp on")).values == {"state": True}
    assert fill(spec, reading("Turn off the lamp")).values == {"state": False}
    assert fill(spec, reading("Turn the lamp")).open == [Choice("state", (True, False))]


def test_like_parameters_without_a_sign_take_values_in_order():
    stations = {"enum": ["harbour", "airport", "hill"]}
    spec = tool(one=stations, other=stations)
    found = fill(spec, reading("Compare the hill with the airport"))
    assert (found.values, found.open) == ({"one": "hill", "other": "airport"}, [])


def test_a_moment_is_a_date_with_its_time():
    spec = tool(at={"type": "string", "format": "date-time"})
    assert fill(spec, reading("tomorrow at 15:30")).values == {"at": "2025-03-11T15:30:00"}
    assert fill(spec, reading("tomorrow")).values == {"at": "2025-03-11T00:00:00"}
    spec = tool(at={"type": "string", "format": "time"})
    assert fill(spec, reading("at 4 pm")).values == {"at": "16:00:00"}


def test_many_numbers_and_parameters_are_few_ways():
    spec = tool(**{name: {"type": "number"} for name in "abcdefghijkl"})
    found = fill(spec, reading("make 1 2 3 4 5 6 7 8"))
    assert found.values == dict(zip("abcdef", range(1, 7), strict=True))


def test_a_long_request_has_few_pieces():
    text = "Find " + " of ".join(f"Name{number}" for number in range(2_000))
    [choice] = fill(TOOLS["find_customer"], reading(text)).open
    assert 0 < len(choice.options) <= 24
    assert max(map(len, choice.options)) <= 100
    assert all(option in text for option in choice.options)


def test_what_cannot_be_filled_is_missing():
    assert fill(tool(data={"type": "object"}), reading("make 3")).missing == ["data"]
    assert fill(ToolSpec("x", "X.", {"type": "object"}), reading("make 3")).values == {}


def test_the_grammar_completes_the_object_that_was_begun():
    choices = [Choice("a", ('say "x"', "y\\z")), Choice("b", (True, False))]
    assert grammar(choices) == (
        r'root ::= ( "\"say \\\"x\\\"\"" | "\"y\\\\z\"" ) ", \"b\": " ( "true" | "false" ) "}"'
    )


def test_what_the_model_completes_is_all_arguments():
    found = fill(TOOLS["add_event"], reading("Add tea with Ana for Bo on Friday"))
    assert found.values == {"day": "2025-03-14"}
    body = choices_body(TOOLS["add_event"], "Add tea", found, slot=1)
    assert body["prompt"].endswith('Call: {"day": "2025-03-14", "title": ')
    assert chosen_values(found, '"tea"}') == {"day": "2025-03-14", "title": "tea"}
