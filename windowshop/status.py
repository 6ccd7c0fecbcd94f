"""Defines the command `windowshop status`."""

from typing import TYPE_CHECKING, Annotated

import typer

from windowshop.options import AsJson

if TYPE_CHECKING:
    from db.site_status.finding import Finding


def status(
    as_json: AsJson = False,
    probe: Annotated[
        bool, typer.Option("--probe", help="Also send a new text through the encoder, and search with it.")
    ] = False,
) -> None:
    """Show what is wrong with the site, since when, and what repairs it: one line for each finding, the worst first.

    The exit code is 0 if all is fine, 1 for a warning, and 2 if something is broken. Run the command with the
    administrator's address. Without --probe, the command changes nothing. It does not start the embedded server.
    docs/operations.md lists the checks.
    """
    from db.settings import Settings
    from db.site_status.finding import worst
    from db.site_status.settings import StatusSettings
    from db.site_status.survey import survey

    findings = survey(Settings.read(), StatusSettings.read(), probe=probe)
    findings.sort(key=lambda finding: -finding.level)
    typer.echo(_as_json(findings) if as_json else "\n".join(_lines(findings)))
    raise typer.Exit(int(worst(findings)))


def _as_json(findings: "list[Finding]") -> str:
    import json

    from db.site_status.finding import worst

    checks = [
        {
            "check": finding.check,
            "state": finding.level.name.lower(),
            "message": finding.message,
            "since": finding.since and finding.since.isoformat(),
            "fix": finding.fix,
        }
        for finding in findings
    ]
    return json.dumps({"state": worst(findings).name.lower(), "checks": checks}, ensure_ascii=False, indent=2)


def _lines(findings: "list[Finding]") -> list[str]:
    return [f"{finding.level.name.lower():<8}{finding.check:<13}{_described(finding)}" for finding in findings]


def _described(finding: "Finding") -> str:
    if finding.fix is None:
        return finding.message
    since = "unknown" if finding.since is None else f"{finding.since.astimezone():%Y-%m-%d %H:%M:%S %z}"
    return " ".join(f"{finding.message} | since {since} | {finding.fix}".split())
