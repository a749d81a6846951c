"""The server of the board: a few addresses to read from, no way to write, nothing outside of the folder."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from kilter.core.errors import InputError
from kilter.report.board.index import Index
from kilter.report.board.log import Log
from kilter.report.charts import COLORS, number
from kilter.report.thinning import thinned

# Rows of a page, lines of a chart and points of each, members and trials in a table.
_PAGE, _LINES, _POINTS, _ROWS = 50, 40, 600, 200
_PAUSE = 0.5
_OWN = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# A report has its scripts inside; in a sandbox it can reach neither this server nor any other.
_REPORT = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
)
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store"}
_STATIC = {
    "board.js": ("board/assets/board.js", "text/javascript"),
    "board.css": ("board/assets/board.css", "text/css"),
    "report.css": ("assets/report.css", "text/css"),
    "echarts.min.js": ("assets/echarts.min.js", "text/javascript"),
}


def serve(folder: Path, host: str = "127.0.0.1", port: int = 8765, ready: Any = None) -> None:
    """Serve the board of a folder until Ctrl-C.

    Args:
        folder: of runs.
        host: address to listen at; this machine alone unless told otherwise.
        port: to listen at; 0 for any that is free.
        ready: called with the address once it is listened at.

    Raises:
        InputError: there is no such folder, or the port is in use.
    """
    if not folder.is_dir():
        raise InputError(f"board: there is no folder {folder}; name the one that your runs are in")
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(f"board: cannot listen at {host}, port {port}: {error}; name another with --port") from error
    if ready is not None:
        ready(f"http://{host}:{listener.getsockname()[1]}/")
    config = uvicorn.Config(board(folder, host), log_level="error", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


def board(folder: Path, host: str = "127.0.0.1") -> Starlette:
    """The application."""
    pages = _Pages(Index(folder))
    routes = [
        Route("/", pages.home),
        Route("/static/{name}", pages.static),
        Route("/api/runs", pages.runs),
        Route("/api/run", pages.run),
        Route("/api/lines", pages.lines),
        Route("/events", pages.events),
        Route("/report", pages.report),
    ]
    own = ["127.0.0.1", "localhost", "[::1]", host]
    allowed = ["*"] if host in ("0.0.0.0", "::") else own
    return Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=allowed)])


def _asset(path: str) -> bytes:
    return resources("kilter.report").joinpath(path).read_bytes()


def _answer(content: bytes | str, kind: str, policy: str = _OWN, status: int = 200) -> Response:
    headers = _SAFE | {"Content-Security-Policy": policy}
    return Response(content, status, headers, media_type=kind)


def _json(value: Any) -> Response:
    return JSONResponse(value, headers=_SAFE)


def _missing() -> Response:
    return _answer("there is no such thing here", "text/plain", status=404)


class _Pages:
    """What is answered at each address."""

    def __init__(self, index: Index) -> None:
        self.index = index

    def home(self, request: Request) -> Response:
        return _answer(_asset("board/assets/board.html"), "text/html")

    def static(self, request: Request) -> Response:
        known = _STATIC.get(request.path_params["name"])
        return _missing() if known is None else _answer(_asset(known[0]), known[1])

    def runs(self, request: Request) -> Response:
        """A page of the list: those that match ``q``, by ``sort``, from ``offset`` on."""
        asked = request.query_params
        self.index.look(everything=True)
        found = self.index.runs(asked.get("q", ""), asked.get("sort", "changed"))
        first = _whole(asked.get("offset", "0"))
        shown = [asdict(self.index.summary(each.id)) for each in found[first : first + _PAGE]]
        told = {"folder": str(self.index.folder), "total": len(found), "page": _PAGE, "version": self.index.version}
        return _json(told | {"runs": [_finite(each) for each in shown]})

    def run(self, request: Request) -> Response:
        """One run: its head, its members, its trials, and what was said of it."""
        id = request.query_params.get("id", "")
        if not self.index.knows(id):
            return _missing()
        log, told = self.index.log(id), _finite(asdict(self.index.summary(id)))
        if log is None:
            return _json(told | {"lines": [], "table": [], "told": [], "recipe": ""})
        table = [_member(log, place) for place in range(min(len(log.head.get("members") or []), _ROWS))]
        return _json(
            told
            | {
                "lines": list(log.lines), "table": table or _best(log), "told": log.told[-50:],
                "recipe": str(log.head.get("recipe", "")), "results": _results(log),
            }
        )  # fmt: skip

    def lines(self, request: Request) -> Response:
        """One line of several runs, thinned so that peaks stay."""
        name, found = request.query_params.get("line", "loss"), []
        for id in request.query_params.getlist("id"):
            log = self.index.log(id) if self.index.knows(id) else None
            for member in sorted(log.lines.get(name, {})) if log is not None else ():
                if log is not None and len(found) < _LINES:
                    found.append({"id": id, "member": member, "points": _points(log.line(name, member))})
        return _json({"line": name, "colors": COLORS, "lines": found})

    async def events(self, request: Request) -> Response:
        """Server-sent events: the runs that have changed."""

        async def told() -> AsyncIterator[str]:
            seen = await asyncio.to_thread(self.index.look)
            yield "retry: 1000\n\n"
            while not await request.is_disconnected():
                version = await asyncio.to_thread(self.index.look)
                changed = self.index.changed(seen) if version != seen else []
                seen = version
                yield (
                    f"data: {json.dumps({'version': version, 'changed': changed[:1000]})}\n\n" if changed else ": \n\n"
                )
                await asyncio.sleep(_PAUSE)

        return StreamingResponse(told(), media_type="text/event-stream", headers=_SAFE)

    def report(self, request: Request) -> Response:
        """The page of a run."""
        id = request.query_params.get("id", "")
        page = self.index.report(id) if self.index.knows(id) else None
        return _missing() if page is None else _answer(page.read_bytes(), "text/html", _REPORT)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 10 else 0


def _finite(told: dict[str, Any]) -> dict[str, Any]:
    return {name: number(value) if isinstance(value, float) else value for name, value in told.items()}


def _points(line: np.ndarray[Any, Any]) -> list[list[float | None]]:
    epochs = np.arange(1, len(line) + 1)
    return [[int(x), number(y)] for x, y in zip(*thinned(epochs, line, _POINTS), strict=True)]


def _member(log: Log, place: int) -> dict[str, Any]:
    told, end = log.head["members"][place], log.ends.get(place, {})
    settings = ", ".join(f"{name} {value}" for name, value in (told.get("settings") or {}).items())
    return {
        "name": f"seed {told.get('seed')}",
        "settings": settings,
        "score": end.get("score"),
        "outcome": end.get("outcome", ""),
    }


def _best(log: Log) -> list[dict[str, Any]]:
    """The best trials of a search or a cure."""
    sign = 1 if log.head.get("higher_is_better", True) else -1
    scored = [each for each in log.results if isinstance(each.get("score"), int | float)]
    ranked = sorted(scored, key=lambda each: -sign * each["score"])
    return [
        {
            "name": f"trial {each['result']}",
            "settings": ", ".join(f"{name} {value}" for name, value in (each.get("settings") or {}).items()),
            "score": each["score"],
            "outcome": str(each.get("outcome", "")),
        }
        for each in ranked[:_ROWS]
    ]


def _results(log: Log) -> list[list[Any]]:
    scored = [(each["result"], each["score"]) for each in log.results if isinstance(each.get("score"), int | float)]
    x, y = (np.array(column, float) for column in zip(*scored, strict=True)) if scored else (np.zeros(0), np.zeros(0))
    return [[int(a), number(b)] for a, b in zip(*thinned(x, y), strict=True)]
