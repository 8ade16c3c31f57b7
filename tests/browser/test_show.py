"""``%agent show`` in a real page: the tree again, saved as ever; a run of another notebook."""

from __future__ import annotations

from tests.browser.lab import SLOW, Desk
from tests.browser.test_lab_questions import SETUP
from tests.browser.test_lab_values import SETUP as LARGE
from tests.browser.test_saved import ANSWER, only_static

ASK = "%%agent --session NAME\nWhich species is the heaviest?"
SHOW = "%load_ext minimalagent_nb\n%agent show --session NAME"


def test_the_tree_of_a_kernel_that_is_gone(desk: Desk) -> None:
    name = f"gone-{desk.app[:3]}"
    notebook = desk.new(f"{name}.ipynb", SLOW.replace("SECONDS", "0"), ASK.replace("NAME", name))
    notebook.run_all()
    notebook.cell("Which species").get_by_text(ANSWER).first.wait_for(timeout=30_000)
    notebook.restart_kernel()
    again = desk.new(f"{name}-again.ipynb", SHOW.replace("NAME", name))
    again.run_all()
    tree = desk.page.locator(".ma-run")
    tree.get_by_text(ANSWER).first.wait_for(timeout=30_000)
    tree.locator(".ma-row", has_text="mean_measurement").first.click()
    tree.locator(".ma-row", has_text="Result").first.wait_for()
    again.save()
    assert ANSWER in only_static(desk, f"{name}-again.ipynb")
    assert tree.locator(".ma-row", has_text="Result").first.is_visible()
    assert desk.troubles == []


def test_a_value_that_was_cut_comes_whole_of_a_stored_run(lab: Desk) -> None:
    notebook = lab.new("large.ipynb", LARGE, "%%agent --session large\nHow many?")
    notebook.run_all()
    notebook.cell("How many?").get_by_text("There are many.").first.wait_for(timeout=30_000)
    notebook.restart_kernel()
    again = lab.new("large-again.ipynb", SHOW.replace("NAME", "large"))
    again.run_all()
    tree = lab.page.locator(".ma-run")
    tree.get_by_text("There are many.").first.wait_for(timeout=30_000)
    tree.locator(".ma-tool > .ma-row").first.click()
    tree.get_by_role("button", name="Show whole").click()
    tree.locator(".ma-whole").wait_for(state="hidden", timeout=30_000)
    tree.locator(".ma-tool").first.focus()
    lab.page.keyboard.press("/")
    lab.page.keyboard.type("8999")
    tree.locator(".ma-count", has_text="1 of ").wait_for(timeout=30_000)
    assert lab.troubles == []


def test_a_run_of_another_notebook_is_stopped_from_here(lab: Desk) -> None:
    code = SLOW.replace("time.sleep(SECONDS)", "time.sleep(0.05)\n    context.cancel.wait(600)")
    code = code.replace("n: int = 3", "context: ToolContext, n: int = 3")
    code = code.replace("import tool", "import ToolContext, tool")
    there = lab.new("there.ipynb", code, ASK.replace("NAME", "from-here"))
    there.run_all()
    lab.page.locator(".ma-name", has_text="heaviest_penguins").wait_for(timeout=30_000)
    here = lab.in_app(lab.app)
    notebook = here.new("here.ipynb", SHOW.replace("NAME", "from-here"))
    notebook.run_all()
    here.page.locator(".ma-name", has_text="heaviest_penguins").wait_for(timeout=30_000)
    here.page.locator(".ma-stop").click()
    there.cell("Which species").get_by_text("Stopped").first.wait_for(timeout=30_000)
    here.page.locator(".ma-run").get_by_text("Stopped").first.wait_for(timeout=30_000)
    notebook.save()
    assert "Stopped" in only_static(here, "here.ipynb")
    assert lab.troubles == here.troubles == []
    here.page.close()


def test_a_question_of_another_notebook_is_answered_from_here(lab: Desk) -> None:
    there = lab.new("asks.ipynb", SETUP, "%%agent --session asks\nClean up?")
    there.run_all()
    lab.page.get_by_role("button", name="Allow").wait_for(timeout=30_000)
    here = lab.in_app(lab.app)
    notebook = here.new("answers.ipynb", SHOW.replace("NAME", "asks"))
    notebook.run_all()
    here.page.get_by_role("button", name="Edit", exact=True).click(timeout=30_000)
    field = here.page.get_by_role("textbox", name="Arguments as JSON")
    field.fill('{"path": "b.csv"}')
    here.page.get_by_role("button", name="Run with these").click()
    there.cell("Clean up?").get_by_text("It is gone: b.csv.").first.wait_for(timeout=30_000)
    here.page.locator(".ma-run").get_by_text("It is gone: b.csv.").first.wait_for(timeout=30_000)
    assert lab.troubles == here.troubles == []
    here.page.close()
