"""``minimalagent-nb table``: the session table as a template, and what is wrong with one.

Imports config and sessions; rich for the page.
"""

from __future__ import annotations

import argparse
import dataclasses

from minimalagent_nb.cli.doctor import print_findings
from minimalagent_nb.cli.output import print_json
from minimalagent_nb.config import resolve_settings

__all__ = ["run_table"]


def run_table(options: argparse.Namespace) -> int:
    """Print the template, or what is wrong with a table: 1 where something is.

    Raises:
        ConfigurationError: a setting or the table's name cannot be used.
    """
    settings = resolve_settings()
    name = options.name or settings.session_table_name
    if options.command == "table template":
        from minimalagent_nb.sessions.table_template import table_template

        template = table_template(name, options.format)
        if options.json:
            print_json("table template", format=options.format, template=template)
        else:
            print(template, end="")  # noqa: T201 - a command line prints
        return 0
    from minimalagent_nb.sessions.dynamodb_check import check_table

    region = options.region or settings.memory_region or settings.bedrock_region
    findings = check_table(name, region)
    if options.json:
        listed = [dataclasses.asdict(finding) for finding in findings]
        print_json("table check", table=name, findings=listed)
    else:
        print_findings(findings)
    return 1 if any(finding.state == "problem" for finding in findings) else 0
