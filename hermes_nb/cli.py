"""The command `hermes-nb`: check, clean, run, html.

Exit codes: 0, all is well; 1, something was found, or a cell failed; 2, what was given cannot be worked on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from hermes_nb import __version__, sharing
from hermes_nb.exceptions import HermesError
from hermes_nb.redact import known_secrets

CLEAN, FOUND, BAD = 0, 1, 2

HELP = {
    "check": "say what should not be shared, and what does not hold; exit 1 when there is anything",
    "clean": "take out what can be taken out without running: widget state, secrets and paths in outputs",
    "run": "run in a fresh kernel and store the outputs: the one way stored outputs are made",
    "html": "make a page that works offline, without a script",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says, and give the exit code."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    given = _parser().parse_args(arguments)
    acts: dict[str, Callable[[argparse.Namespace], int]] = {
        "check": _check,
        "html": _html,
        "clean": _clean,
        "run": _run,
    }
    return acts[given.command](given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="hermes-nb", description="Notebooks to share, and to keep true.")
    parser.add_argument("--version", action="version", version=f"hermes-nb {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    parts = {name: commands.add_parser(name, help=told, description=told) for name, told in HELP.items()}
    for name in ("check", "clean", "run"):
        parts[name].add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a notebook, or a folder of them")
    parts["check"].add_argument("--format", choices=("text", "json"), default="text", help="how to say it")
    parts["check"].add_argument("--largest", type=float, default=5, metavar="MB", help="of a whole file (default: 5)")
    parts["run"].add_argument(
        "--sanitize-with", type=Path, metavar="FILE", help="nbval's patterns: outputs that differ in nothing else stay"
    )
    parts["run"].add_argument("--timeout", type=int, metavar="SECONDS", help="for one cell (default: any time)")
    parts["run"].add_argument("--fresh", action="store_true", help="also of cells whose output is not compared")
    parts["html"].add_argument("path", type=Path, metavar="PATH", help="a notebook")
    parts["html"].add_argument("-o", "--out", type=Path, metavar="FILE", help="the page (default: beside the notebook)")
    return parser


def _notebooks(paths: Sequence[Path]) -> Iterator[Path]:
    """The notebooks that are meant: each file, and all in a folder but for checkpoints and hidden ones."""
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        found = [one for one in sorted(path.rglob("*.ipynb")) if not _hidden(one.relative_to(path))]
        if not found:
            raise sharing.NotebookError(f"{path}: there is no notebook in this folder; name a file or another folder")
        yield from found


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _each(paths: Sequence[Path], act: Callable[[Path], int]) -> int:
    """Do it with every notebook, also after one that is bad, and give the worst exit code."""
    worst = CLEAN
    try:
        for path in _notebooks(paths):
            worst = max(worst, _one(path, act))
    except sharing.NotebookError as error:
        _complain(str(error))
        return BAD
    return worst


def _one(path: Path, act: Callable[[Path], int]) -> int:
    try:
        return act(path)
    except sharing.CellFailed as error:
        _complain(f"{path}: {error}")
        return FOUND
    except HermesError as error:
        _complain(f"{path}: {error}")
        return BAD


def _check(given: argparse.Namespace) -> int:
    secrets, told = known_secrets(os.environ), list[dict[str, object]]()

    def check(path: Path) -> int:
        findings = sharing.check(path, secrets=secrets, largest=int(given.largest * 1_000_000))
        told.extend({"path": str(path), **asdict(finding)} for finding in findings)
        if given.format == "text":
            for finding in findings:
                print(f"{path}: {finding}")
        return FOUND if findings else CLEAN

    code = _each(given.paths, check)
    if given.format == "json":
        print(json.dumps(told, indent=1, ensure_ascii=False))
    return code


def _clean(given: argparse.Namespace) -> int:
    secrets = known_secrets(os.environ)

    def clean(path: Path) -> int:
        changes = sharing.clean(path, secrets=secrets)
        for change in changes or ["nothing to take out"]:
            print(f"{path}: {change}")
        left = len(sharing.check(path, secrets=secrets))
        if left:
            print(f"{path}: {left} {'finding' if left == 1 else 'findings'} left; `hermes-nb check` names them")
        return CLEAN

    return _each(given.paths, clean)


def _run(given: argparse.Namespace) -> int:
    def run(path: Path) -> int:
        changed = asyncio.run(
            sharing.run(path, sanitize_with=given.sanitize_with, seconds=given.timeout, fresh=given.fresh)
        )
        print(f"{path}: {len(changed)} of its outputs new" if changed else f"{path}: the same outputs")
        for name in changed:
            print(f"  {name}")
        return CLEAN

    return _each(given.paths, run)


def _html(given: argparse.Namespace) -> int:
    def html(path: Path) -> int:
        print(sharing.html(path, given.out))
        found = {finding.rule for finding in sharing.check(path, secrets=known_secrets(os.environ))}
        if "secret" in found:
            _complain(f"{path}: there is a secret in it, and in the page; `hermes-nb check` names the cell")
        return CLEAN

    return _one(given.path, html)


def _complain(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
