"""Makes the pages of the reference out of the docstrings.

python .ci/reference.py build/reference
"""

from __future__ import annotations

import importlib
import sys
import warnings
from pathlib import Path

import pdoc

ROOMS = (
    "hermes_nb", "hermes_nb.exceptions", "hermes_nb.records", "hermes_nb.servers", "hermes_nb.servers.scripted",
    "hermes_nb.servers.managed", "hermes_nb.servers.cassette", "hermes_nb.servers.human", "hermes_nb.sharing",
    "hermes_nb.tools", "hermes_nb.training",
)  # fmt: skip
"""The modules with public names in them; those that `hermes_nb` itself names come along."""


def main(folder: Path) -> None:
    """Write the pages, one for each module, with a search that needs no network."""
    warnings.simplefilter("error")
    # Types that are imported for the checker alone are shown as they are written.
    warnings.filterwarnings("ignore", "Error parsing type annotation")
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in getattr(module, "__all__", ()):
            vars(module).setdefault(
                name, getattr(module, name)
            )  # Looked up when first used; pdoc looks at what is there.
    pdoc.render.configure(docformat="google", footer_text="hermes_nb", show_source=False)
    pdoc.pdoc(*ROOMS, output_directory=folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
