"""Four sets of tools as a notebook might hold them; the functions are never called."""

from __future__ import annotations

import datetime
from typing import Literal

from minimalagent_nb import tool
from minimalagent_nb.models import ToolSpec
from minimalagent_nb.tools import Toolbox

Measurement = Literal["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
Group = Literal["species", "island", "sex"]
Unit = Literal["km", "miles", "kg", "pounds", "celsius", "fahrenheit"]


@tool
def count_penguins(by: Group) -> dict[str, int]:
    """Count the measured penguins in groups.

    Args:
        by: What to group them by.
    """


@tool
def mean_measurement(measurement: Measurement, by: Group) -> list[dict]:
    """Average a measurement over groups of penguins.

    Args:
        measurement: What was measured; the unit is the end of its name.
        by: What to group the penguins by.
    """


@tool
def heaviest_penguins(n: int = 3) -> list[dict]:
    """List the heaviest penguins.

    Args:
        n: How many of them.
    """


@tool
def add_event(title: str, day: datetime.date, hour: int | None = None) -> str:
    """Put an event into the calendar.

    Args:
        title: What the event is.
        day: The day of the event.
        hour: The hour at which it begins, 0 to 23.
    """


@tool
def list_events(day: datetime.date) -> list[str]:
    """Show the events of one day.

    Args:
        day: The day to look at.
    """


@tool
def cancel_event(title: str) -> str:
    """Remove an event from the calendar.

    Args:
        title: What the event is.
    """


@tool
def top_products(
    n: int = 5, category: Literal["books", "toys", "garden", "music"] | None = None
) -> list[dict]:
    """List the best selling products.

    Args:
        n: How many products.
        category: Only products of this category.
    """


@tool
def revenue(
    quarter: Literal["Q1", "Q2", "Q3", "Q4"], region: Literal["north", "south", "east", "west"]
) -> float:
    """Total revenue of a sales region in a quarter.

    Args:
        quarter: Quarter of the year.
        region: The sales region.
    """


@tool
def find_customer(name: str) -> dict:
    """Look up a customer's address and orders.

    Args:
        name: Full name of the customer.
    """


@tool
def stock_level(product: str) -> int:
    """How many pieces of a product are in the warehouse.

    Args:
        product: Name of the product.
    """


@tool
def convert(value: float, from_unit: Unit, to_unit: Unit) -> float:
    """Convert a value from one unit to another.

    Args:
        value: The number to convert.
        from_unit: Unit of the value.
        to_unit: Unit of the result.
    """


@tool
def roll_dice(sides: int = 6, count: int = 1) -> list[int]:
    """Roll dice.

    Args:
        sides: Sides of each die.
        count: How many dice.
    """


@tool
def count_words(text: str) -> int:
    """Count the words of a text.

    Args:
        text: The text.
    """


@tool
def compound_interest(principal: float, rate: float, years: int) -> float:
    """Savings after some years of compound interest.

    Args:
        principal: Money at the beginning.
        rate: Interest rate in percent a year.
        years: Number of years.
    """


TOOL_SETS = {
    "penguins": (count_penguins, mean_measurement, heaviest_penguins),
    "calendar": (add_event, list_events, cancel_event),
    "shop": (top_products, revenue, find_customer, stock_level),
    "figures": (convert, roll_dice, count_words, compound_interest),
}


def specs(name: str) -> tuple[ToolSpec, ...]:
    """What a model is told of the tools of a set."""
    tools = Toolbox(TOOL_SETS[name])
    return tuple(ToolSpec(item.name, item.description, item.input_schema) for item in tools)
