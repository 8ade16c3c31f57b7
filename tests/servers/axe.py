"""axe-core, which finds what keeps people out of a page; fetched once by npm."""

from __future__ import annotations

from typing import Any

from tests.servers.npm import unpacked

PACKAGE = "axe-core@4.11.0"
SERIOUS = ("serious", "critical")


def serious_findings(page: Any, selector: str) -> list[str]:
    """What axe finds below the elements of a selector, rule by rule with the elements' HTML."""
    if not page.evaluate("'axe' in window"):
        # Evaluated, not added as a script, which a page's own policy could refuse.
        page.evaluate((unpacked(PACKAGE, "package", "axe.min.js") / "axe.min.js").read_text())
    found = page.evaluate(
        """async (selector) => (await window.axe.run(selector, {resultTypes: ["violations"]}))
            .violations.map(({id, impact, help, nodes}) => ({id, impact, help,
                nodes: nodes.slice(0, 3).map(({html, failureSummary}) =>
                    `${html.slice(0, 200)} ${failureSummary.slice(0, 300)}`)}))""",
        selector,
    )
    return [
        f"{one['id']} ({one['impact']}): {one['help']}\n  " + "\n  ".join(one["nodes"])
        for one in found
        if one["impact"] in SERIOUS
    ]
