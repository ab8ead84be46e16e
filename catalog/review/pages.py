"""The page itself: templates, and the files that belong to them."""

from __future__ import annotations

from importlib.metadata import version
from importlib.resources import files
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


class Pages:
    """Read once, when the server starts."""

    def __init__(self) -> None:
        environment = Environment(
            loader=PackageLoader("catalog.review"), autoescape=True, undefined=StrictUndefined
        )
        self._enter = environment.get_template("enter.html")
        self._review = environment.get_template("review.html")
        self._files = {
            each.name: (each.read_bytes(), _TYPES[each.name.rpartition(".")[2]])
            for each in (files("catalog.review") / "static").iterdir()
            if each.name.rpartition(".")[2] in _TYPES
        }

    def page(self, request: Request) -> Response:
        """The page, or the way in for who has not entered yet."""
        known = request.scope["state"]
        template = self._review if known["entered"] else self._enter
        return HTMLResponse(
            template.render(
                nonce=known["nonce"], csrf=known["csrf"], version=version("imgcat-catalog")
            )
        )

    def static(self, name: str) -> Response:
        """A script, a style sheet or a drawing."""
        found = self._files.get(name)
        if found is None:
            raise HTTPException(404, "there is no such file")
        return Response(found[0], media_type=found[1])
