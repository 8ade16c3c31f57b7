"""Search and filters over what is stored, on every engine."""

from __future__ import annotations

import dataclasses
import itertools
import time

import pytest

from minimalagent_nb.errors import ConfigurationError, SessionIdError, SessionReadError
from minimalagent_nb.reasoning import Reasoning, ReasoningStep, ToolData
from minimalagent_nb.sessions import SessionLog, SQLiteStore
from minimalagent_nb.sessions.search import (
    PAGE_LOOKS,
    Filters,
    Place,
    Progress,
    SessionSearch,
    filters_of,
    history_page,
)
from minimalagent_nb.sessions.search_text import without_marks
from tests.sessions.conftest import NOW, FaultyStore, events_of, record, wait_for
from tests.sessions.test_crashes import die_after

ALL = Filters()


class CountingStore(FaultyStore):
    """Counts the items that it hands out, and refuses all that is no query or get."""

    def __init__(self, inner):
        super().__init__(inner)
        self.handed_out = 0

    def query(self, pk, **options):
        for item in super().query(pk, **options):
            self.handed_out += 1
            yield item


@pytest.fixture
def embedded(clock):
    """A log over a store in memory: for what no engine makes different."""
    log = SessionLog(SQLiteStore(":memory:", clock=clock), clock=clock)
    yield log
    log.close()


def found(search):
    """All hits, piece by piece."""
    hits = []
    while not search.is_over:
        hits += search.look()
    return hits


def place_of_hit(hit):
    return Place(hit.run.interaction_id, hit.session_id)


def queries(hits):
    return [hit.run.query for hit in hits]


def test_search_goes_through_all_sessions_newest_first(log, clock):
    for number in range(12):
        clock.now += 10
        record(log, f"s{number % 3}", f"question {number}", "the penguin\nweighs 5 kg")
    record(log, "other", "nothing", "of the kind")
    search = SessionSearch(log, "PENGUIN  weighs", ALL)
    hits = found(search)
    assert search.progress == Progress(13, 13, searched=4, sessions=4, counted=True)
    assert queries(hits) == [f"question {n}" for n in reversed(range(12))]
    assert [hit.session_id for hit in hits[:3]] == ["s2", "s1", "s0"]
    assert (hits[0].where, hits[0].before, hits[0].match) == ("answer", "the ", "penguin weighs")
    assert search.reached == (hits[-1].run.interaction_id, "s0")
    later = SessionSearch(log, "penguin", ALL, before=place_of_hit(hits[8]))
    assert queries(found(later)) == ["question 2", "question 1", "question 0"]
    assert queries(found(SessionSearch(log, "question 1", ALL, "s1"))) == [
        *("question 10", "question 1")
    ]


def everything():
    inner = Reasoning(query="inner question", final_response="inner answer", status="completed")
    call = ToolData(
        "look_up",
        {"key": "an input"},
        {"rows": [{"name": "a result"}]},
        output=[{"kind": "stdout", "text": "printed text"}],
        reasoning=inner,
    )
    failed = ToolData("fails", {}, status="error", error="what went wrong")
    step = ReasoningStep(1, thinking="a thought", text="said beside", tools=[call, failed])
    return Reasoning(
        query="the query",
        steps=[step],
        final_response="the answer",
        final_thinking="last thought",
        status="completed",
    )


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("the query", "query"),
        ("the answer", "answer"),
        ("a thought", "thinking"),
        ("last thought", "thinking"),
        ("said beside", "said"),
        ("look_up", "tool"),
        ("an input", "look_up: inputs"),
        ("a result", "look_up: result"),
        ("printed text", "look_up: output"),
        ("went wrong", "fails: error"),
        ("inner question", "look_up: query"),
        ("inner answer", "look_up: answer"),
    ],
)
def test_every_text_of_an_interaction_is_searched(text, where):
    class Log:
        def session(self, session_id):
            return None

        def history(self, session_id, **_):
            return iter([dataclasses.replace(everything(), interaction_id=1)])

    (hit,) = found(SessionSearch(Log(), text, ALL, "s"))
    assert (hit.where, hit.match) == (where, text)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("There are **12** birds.", "12 birds"),
        ("An un*frigging*believable _kind_ of ~~fish~~.", "unfriggingbelievable kind of fish"),
        ("## The result\n\n- one\n- two", "The result one two"),
        ("1. first\n2. second", "first second"),
        ("> said [the *old* report](https://example.com/a_b 'x'), twice", "report"),
        ("see [the *old* report](https://example.com/a_b), twice", "the old report, twice"),
        ("![a plot](plot.png) of it", "a plot of it"),
        ("the [re](https://example.com)ports", "the reports"),
        ("| a | b |\n|---|---|\n| **1** | 2 |", "1 2"),
        ("call `f(*args)` twice", "call f(*args) twice"),
        ("so:\n```py\na ** b\n```\n**that**", "a ** b that"),
        (r"2 \* 3 and 3 &lt; 4", "2 * 3 and 3 < 4"),
    ],
)
def test_what_is_shown_of_markdown_is_found(embedded, written, shown):
    record(embedded, "s", "q", written)
    (hit,) = found(SessionSearch(embedded, shown, ALL))
    assert hit.match == shown
    assert "**" not in hit.before + hit.after or "a ** b" in written
    assert len(found(SessionSearch(embedded, written, ALL))) == 1, "and what was written"


@pytest.mark.parametrize(
    ("written", "other"),
    [
        ("snake_case_name", "snakecasename"),
        ("2 * 3", "2 3"),
        ("`a*b`", "ab*"),
        ("a\\b", "ab"),
    ],
)
def test_what_is_no_mark_stays(embedded, written, other):
    record(embedded, "s", "q", written)
    assert found(SessionSearch(embedded, other, ALL)) == []


def test_no_mark_of_a_query_is_passed_over(embedded):
    record(embedded, "s", "**12** birds", "none")
    assert found(SessionSearch(embedded, "12 birds", ALL)) == [], "it is shown as it was written"


@pytest.mark.parametrize(
    "mark", ["`", "``a`", "*", "_a", "[", "[](", "![a](b", "|", "```\n", "\\", "~*_", "> "]
)
def test_marks_are_taken_out_in_linear_time(mark):
    def seconds(times):
        text = mark * times
        best = []
        for _ in range(5):
            begun = time.thread_time()
            without_marks(text)
            best.append(time.thread_time() - begun)
        return min(best)

    assert seconds(16_000) < 4 * 8 * seconds(2_000), "eight times as much, not sixty-four"


def test_a_snippet_is_bounded_and_what_is_special_is_text(embedded):
    record(embedded, "s", "x" * 5000 + " a.b*(c " + "y" * 5000)
    (hit,) = found(SessionSearch(embedded, "a.b*(c", ALL))
    assert hit.match == "a.b*(c"
    assert len(hit.before) < 100
    assert len(hit.after) < 200
    assert hit.before.startswith("…")
    assert hit.after.endswith("…")
    assert found(SessionSearch(embedded, "aXb", ALL)) == []
    with pytest.raises(ConfigurationError, match="at most"):
        SessionSearch(embedded, "x" * 2000, ALL)


def test_filters(embedded, clock):
    ids = []
    for number in range(6):
        clock.now += 100
        ids.append(record(embedded, "s", f"q{number}"))
    assert queries(found(SessionSearch(embedded, "", Filters(tool="SEAR")))) == [
        f"q{n}" for n in reversed(range(6))
    ]
    assert found(SessionSearch(embedded, "q1", Filters(tool="plot"))) == []
    assert found(SessionSearch(embedded, "q1", Filters(statuses=("failed",)))) == []
    window = Filters(since=NOW + 250, until=NOW + 450)
    assert queries(found(SessionSearch(embedded, "", window))) == ["q3", "q2"]
    page = history_page(embedded, "s", window, before=None, limit=20)
    assert [run.query for run in page.runs] == ["q3", "q2"]
    assert page.next is None


def test_pages_of_a_session_through_a_filter(embedded, clock):
    for number in range(7):
        clock.now += 1
        record(embedded, "s", f"q{number}")
    seen, before = [], None
    for _ in range(4):
        page = history_page(embedded, "s", Filters(tool="search"), before=before, limit=2)
        seen += [run.query for run in page.runs]
        before = page.next
        if before is None:
            break
    assert seen == [f"q{n}" for n in reversed(range(7))]
    whole = history_page(embedded, "s", ALL, before=None, limit=7)
    assert (len(whole.runs), whole.next) == (7, None), "nothing is left behind a full page"
    none = history_page(embedded, "s", Filters(tool="nothing"), before=None, limit=2)
    assert (none.runs, none.next, none.looked) == ([], None, 7)
    with pytest.raises(SessionIdError):
        history_page(embedded, "../x", ALL, before=None, limit=2)


def test_a_page_looks_at_a_bounded_number_and_says_where_to_go_on():
    class Log:
        def history(self, session_id, *, newest_first, limit, before):
            top = before or 10_001
            return (Reasoning(interaction_id=top - n) for n in range(1, limit + 1))

    page = history_page(Log(), "s", Filters(tool="x"), before=None, limit=20)
    assert (page.runs, page.looked, page.next) == ([], PAGE_LOOKS, 10_001 - PAGE_LOOKS)


def test_a_search_reads_no_further_than_it_has_looked(tmp_path, clock):
    store = CountingStore(SQLiteStore(tmp_path / "s.sqlite3", clock=clock))
    log = SessionLog(store, clock=clock)
    for number in range(60):
        clock.now += 1
        record(log, "s", f"q{number}", load=False)
    now = itertools.count()
    search = SessionSearch(log, "q59", ALL, monotonic=lambda: float(next(now)) / 25)
    store.handed_out = 0
    pieces = list(itertools.takewhile(lambda hits: not hits, iter(search.look, None)))
    assert all(hits == [] for hits in pieces), "a piece that takes its time is given at once"
    assert search.progress.looked == 1
    assert store.handed_out <= 1 + 4, "the list, and a few interactions"
    log.close()


def test_a_store_that_fails_ends_the_search_with_its_words(tmp_path, clock):
    store = FaultyStore(SQLiteStore(tmp_path / "s.sqlite3", clock=clock))
    log = SessionLog(store, clock=clock)
    record(log, "s")
    search = SessionSearch(log, "q", ALL)
    store.read_error = SessionReadError("The table is gone.")
    with pytest.raises(SessionReadError, match="gone"):
        search.look()
    log.close()


@pytest.mark.parametrize(
    "values",
    [
        {"status": "odd"},
        {"status": ["running", "x"]},
        {"since": "tomorrow"},
        {"until": "nan"},
        {"since": -1},
        {"tool": ["x"]},
        {"tool": "x" * 2000},
        {"until": 1e300},
        {"since": []},
    ],
)
def test_filters_that_make_no_sense_are_refused(values):
    with pytest.raises(ConfigurationError):
        filters_of(values)


def test_filters_of_a_page():
    made = filters_of({"tool": " plot ", "status": "failed,stopped", "since": "1.5", "until": ""})
    assert made == Filters("plot", ("failed", "stopped"), 1.5, None)
    assert filters_of({}) == ALL


def test_a_run_under_way_is_found_behind_that_of_a_kernel_that_died(store, clock):
    log = SessionLog(store, clock=clock)
    recorder = log.begin("s", real_time=True)
    recorder.add(events_of("q", "a")[0])
    wait_for(lambda: log.running("s") is not None)
    clock.now += 1
    dead = die_after(store, clock, [])
    assert dead.id > recorder.interaction_id
    clock.now += 3 * 3600
    for event in events_of("q", "a")[1:4]:
        recorder.add(event)
    wait_for(lambda: log.running("s") == recorder.interaction_id)
    for event in events_of("q", "a")[4:]:
        recorder.add(event)
    recorder.finish()
    assert recorder.wait(30)
    assert log.running("s") is None
    log.close()


def test_which_session_has_a_run_under_way(log):
    assert log.running("s") is None
    recorder = log.begin("s", real_time=True)
    for event in events_of("q", "a")[:4]:
        recorder.add(event)
    wait_for(lambda: log.running("s") is not None)
    assert log.running("s") == recorder.interaction_id
    for event in events_of("q", "a")[4:]:
        recorder.add(event)
    recorder.finish()
    assert recorder.wait(30)
    assert log.running("s") is None
