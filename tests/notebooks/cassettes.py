"""Records the cassette that `notebooks/howto/record_a_cassette.ipynb` plays:

    .venv/bin/python -m tests.notebooks.cassettes

Three runs go on together, of a model that is scripted, behind a real socket, and takes its time: the last asked is
answered first.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import hermes_nb as hn
from hermes_nb.messages import Message
from hermes_nb.records import AgentResult
from hermes_nb.servers.scripted import Scripted, call

WEATHER = Path(__file__).resolve().parents[2] / "data" / "cassettes" / "weather.jsonl"
READINGS = {"Oslo": -3, "Turin": 9, "Cork": 11}
SECONDS = {"Oslo": 1.5, "Turin": 1.0, "Cork": 0.5}


def temperature(city: str) -> int:
    """Read the thermometer in a city. Gives degrees Celsius."""
    return READINGS[city]


def meteorologist(messages: list[Message]) -> Scripted:
    """What the model says: first a call, then a sentence; and how long it takes each time."""
    city = messages[0]["content"].split()[-1].strip("?")
    if messages[-1]["role"] == "user":
        return Scripted(calls=[call("temperature", city=city)], delay=SECONDS[city])
    return Scripted(text=f"It is {messages[-1]['content']} °C in {city}.", delay=SECONDS[city])


async def recorded(path: Path) -> list[AgentResult]:
    """Record one run for each city in this file, all at once."""
    async with hn.ScriptedServer(meteorologist).serve() as base_url:
        server = hn.OpenAIServer("scripted", base_url=base_url, api_key="none")
        loop = hn.HermesAgentLoop(server, tools=[temperature], cassette=hn.Cassette(path, mode="record"))
        await loop.run("How warm is it in Cork?", cassette=None)  # A first run is slow, by what is imported for it.
        runs = (loop.run(f"How warm is it in {city}?", task=city, stream=True) for city in READINGS)
        return await asyncio.gather(*runs)


if __name__ == "__main__":
    WEATHER.parent.mkdir(exist_ok=True)
    WEATHER.unlink(missing_ok=True)
    asyncio.run(recorded(WEATHER))
