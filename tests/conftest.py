"""What every test shares."""

from __future__ import annotations

import pytest
from hypothesis import settings

settings.register_profile("house", settings.default, deadline=None)  # No test depends on how fast the machine is.
settings.load_profile("house")


@pytest.fixture
def anyio_backend() -> str:
    """Async tests run on asyncio, the event loop of a notebook's kernel."""
    return "asyncio"
