"""The server of the board: a few addresses to read from, no way to write, nothing outside of the folder."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import asdict
from importlib.resources import files as resources
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from kilter.core.errors import InputError
from kilter.core.journal import plain
from kilter.report.board.index import Index
from kilter.report.board.views import SO_FAR, names, overlaid, view
from kilter.report.charts import COLORS

# Rows of a page, runs and lines of a chart, and runs of one event.
_PAGE, _RUNS, _LINES, _TOLD = 50, 12, 40, 1000
# Lines that are shown unless others are asked for, and seconds between looks at what goes on.
_USUAL, _PAUSE = ("val_loss", "loss", SO_FAR), 0.5
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
    "charts.js": ("board/assets/charts.js", "text/javascript"),
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
        listener.listen()
    except (OSError, OverflowError) as error:
        listener.close()
        raise InputError(f"board: cannot listen at {host}, port {port}: {error}; name another with --port") from error
    application = board(folder, host)
    if ready is not None:
        ready(f"http://{host}:{listener.getsockname()[1]}/")
    config = uvicorn.Config(application, log_level="error", timeout_graceful_shutdown=1)
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
    application = Starlette(routes=routes, middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=allowed)])
    application.state.index = pages.index
    return application


def _asset(path: str) -> bytes:
    return resources("kilter.report").joinpath(path).read_bytes()


def _answer(content: bytes | str, kind: str, policy: str = _OWN, status: int = 200) -> Response:
    headers = _SAFE | {"Content-Security-Policy": policy}
    return Response(content, status, headers, media_type=kind)


def _json(value: Any) -> Response:
    # With everything that is not ASCII escaped, as names of files need not be text.
    return Response(json.dumps(plain(value), allow_nan=False), headers=_SAFE, media_type="application/json")


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
        """A page of the list: those that match ``q`` and ``state``, by ``sort``, from ``offset`` on."""
        asked = request.query_params
        self.index.look(now=True)
        found = self.index.runs(asked.get("q", ""), asked.get("state", ""), asked.get("sort", "changed"))
        first = _whole(asked.get("offset", "")) or 0
        shown = [told for told in map(self.index.summary, found[first : first + _PAGE]) if told is not None]
        about = {"folder": str(self.index.folder.resolve()), "total": len(found), "page": _PAGE}
        return _json(about | {"runs": list(map(asdict, shown))})

    def run(self, request: Request) -> Response:
        """One run: how it goes, what it is, charts, a table, and what was said of it."""
        id = request.query_params.get("id", "")
        told = self.index.summary(id) if self.index.knows(id) else None
        if told is None:
            return _missing()
        log = self.index.log(id)
        return _json(asdict(told) | ({} if log is None or told.state == "corrupt" else view(log)))

    def lines(self, request: Request) -> Response:
        """One line of several runs over each other, thinned so that peaks stay; closer between ``from`` and ``to``."""
        asked = request.query_params
        logs = {id: self.index.log(id) for id in asked.getlist("id")[:_RUNS] if self.index.knows(id)}
        known = {id: log for id, log in logs.items() if log is not None}
        every = list(dict.fromkeys(name for log in known.values() for name in names(log)))
        wanted = asked.get("line", "")
        name = wanted if wanted in every else next((each for each in _USUAL if each in every), "".join(every[:1]))
        made, total = [], 0
        for id, log in known.items():
            found, there = overlaid(log, id, name, _whole(asked.get("from", "")), _whole(asked.get("to", "")))
            made, total = made + found, total + there
        return _json({"line": name, "names": every, "lines": made[:_LINES], "total": total, "colors": COLORS})

    async def events(self, request: Request) -> Response:
        """Server-sent events: the runs that have changed."""

        async def told() -> AsyncIterator[str]:
            seen = self.index.version
            yield "retry: 1000\n\n"
            while not await request.is_disconnected():
                version = await asyncio.to_thread(self.index.look)
                changed = self.index.changed(seen)[:_TOLD] if version != seen else []
                yield f"data: {json.dumps({'changed': changed})}\n\n" if version != seen else ": \n\n"
                seen = version
                await asyncio.sleep(_PAUSE)

        return StreamingResponse(told(), media_type="text/event-stream", headers=_SAFE)

    def report(self, request: Request) -> Response:
        """The page of a run."""
        id = request.query_params.get("id", "")
        page = self.index.report(id) if self.index.knows(id) else None
        return _missing() if page is None else _answer(page.read_bytes(), "text/html", _REPORT)


def _whole(text: str) -> int | None:
    return int(text) if text.isdecimal() and len(text) < 10 else None
