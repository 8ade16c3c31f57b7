"""What passes on what it does not do itself is a model, or a store, as what it wraps."""

from __future__ import annotations

from typing import Any

import pytest

from minimalagent_nb import Agent
from minimalagent_nb.errors import ConfigurationError
from minimalagent_nb.models import ScriptedModel
from minimalagent_nb.models.protocol import is_model
from minimalagent_nb.sessions import SQLiteStore
from minimalagent_nb.sessions.items import is_store


class Wrapper:
    """Counts what is asked of it."""

    def __init__(self, inner: Any) -> None:
        self.inner, self.asked = inner, 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        return getattr(self.inner, name)


def test_an_agent_works_with_both(tmp_path: Any) -> None:
    model = Wrapper(ScriptedModel(["Yes.", "Still."]))
    store = Wrapper(SQLiteStore(tmp_path / "s.sqlite3"))
    agent = Agent(model=model, memory=store, show_reasoning=False)
    agent.run("Is it there?", session_id="s")
    assert agent.run("And now?", session_id="s").response == "Still."
    assert len(agent.list_sessions()) == 1
    assert model.asked
    assert store.asked


@pytest.mark.parametrize("value", [ScriptedModel, SQLiteStore, Wrapper(object()), "model", None])
def test_classes_and_what_lacks_something_are_neither(value: Any) -> None:
    assert not is_model(value)
    assert not is_store(value)


def test_a_class_is_refused_in_words() -> None:
    with pytest.raises(ConfigurationError, match="not the class ScriptedModel"):
        Agent(model=ScriptedModel)
    with pytest.raises(ConfigurationError, match="no session memory"):
        Agent(model=ScriptedModel(["Yes."]), memory=SQLiteStore)
