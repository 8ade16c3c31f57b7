"""Sets of tools as a notebook might hold them; the functions are never called."""

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


@tool
def search_logs(service: str, level: Literal["debug", "info", "warning", "error"] = "error") -> str:
    """Search the log files of a service.

    Args:
        service: Name of the service.
        level: Severity of the messages.
    """


@tool
def restart_service(service: str) -> str:
    """Restart a service on the server.

    Args:
        service: Name of the service.
    """


@tool
def disk_usage(disk: Literal["root", "home", "backup"]) -> dict:
    """Free and used space of a disk.

    Args:
        disk: Which disk.
    """


@tool
def find_recipes(ingredients: list[str], vegetarian: bool = False) -> list[str]:
    """Find recipes with some ingredients.

    Args:
        ingredients: What is at hand.
        vegetarian: Only dishes without meat.
    """


@tool
def scale_recipe(recipe: str, servings: int) -> dict:
    """Amounts of a recipe for a number of servings.

    Args:
        recipe: Name of the recipe.
        servings: For how many people.
    """


@tool
def calories(food: str) -> float:
    """Calories of a food, per 100 g.

    Args:
        food: Name of the food.
    """


@tool
def trips_between(start: datetime.date, end: datetime.date) -> list[dict]:
    """All taxi trips between two days.

    Args:
        start: First day.
        end: Last day.
    """


@tool
def average_fare(borough: Literal["Manhattan", "Brooklyn", "Queens", "Bronx"]) -> float:
    """Mean price of a taxi trip in a part of the city.

    Args:
        borough: Where the trip began.
    """


@tool
def longest_trips(n: int = 10, min_passengers: int | None = None) -> list[dict]:
    """List the longest taxi trips.

    Args:
        n: How many trips.
        min_passengers: Only trips with at least this many passengers.
    """


TOOL_SETS = {
    "penguins": (count_penguins, mean_measurement, heaviest_penguins),
    "calendar": (add_event, list_events, cancel_event),
    "shop": (top_products, revenue, find_customer, stock_level),
    "figures": (convert, roll_dice, count_words, compound_interest),
    "server": (search_logs, restart_service, disk_usage),
    "kitchen": (find_recipes, scale_recipe, calories),
    "taxi": (trips_between, average_fare, longest_trips),
}


def specs(name: str) -> tuple[ToolSpec, ...]:
    """What a model is told of the tools of a set."""
    tools = Toolbox(TOOL_SETS[name])
    return tuple(ToolSpec(item.name, item.description, item.input_schema) for item in tools)
