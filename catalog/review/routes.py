"""The addresses of the review page, each a few lines: what is asked, whom, and how it is told.

Nothing here decides whether a request may come in: see ``guard``. No address holds a path, and no
GET changes anything.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, TypeVar

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from catalog.errors import CatalogError, UsageError
from catalog.escaping import harmless
from catalog.model import Failure, Photo
from catalog.review import told
from catalog.review.asking import (
    BothAsked,
    ChoiceAsked,
    PageAsked,
    flag_in,
    number_in,
    plan_in,
    texts_in,
)
from catalog.review.clerk import Ended
from catalog.review.desk import Desk, Refusal
from catalog.review.pages import Pages
from catalog.review.previews import Level, Previews
from catalog.review.told import Object

if TYPE_CHECKING:
    from catalog.imaging.judging import Facts

_MOST_GROUP_NAME: Final = 20

Made = TypeVar("Made", bytes, "Facts")
Result = TypeVar("Result")


class Told(JSONResponse):
    """JSON that no surrogate makes invalid."""

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "replace")


class Routes:
    """All addresses of one review."""

    def __init__(self, desk: Desk, previews: Previews, pages: Pages) -> None:
        self._desk = desk
        self._previews = previews
        self._pages = pages

    def all(self) -> list[Route]:
        """For Starlette."""
        reading: dict[str, Callable[[Request], Awaitable[Response]]] = {
            "/": self._page,
            "/static/{name}": self._static,
            "/api/state": self._state,
            "/api/groups": self._groups,
            "/api/group/{group}": self._group,
            "/api/folders": self._folders,
            "/api/history": self._history,
            "/api/facts/{photo:int}": self._facts,
            "/api/compare": self._compare,
            "/picture/{photo:int}/{level}": self._picture,
        }
        writing: dict[str, Callable[[Object], Awaitable[Response]]] = {
            "/api/choose": self._choose,
            "/api/choose-all": self._choose_all,
            "/api/keep-both": self._keep_both,
            "/api/step-back": self._step_back,
            "/api/clear": self._clear,
            "/api/plan": self._plan,
            "/api/apply": self._apply,
            "/api/undo": self._undo,
        }
        return [
            *(Route(path, self._told(answer), methods=["GET"]) for path, answer in reading.items()),
            *(
                Route(path, self._told(_with_body(answer)), methods=["POST"])
                for path, answer in writing.items()
            ),
        ]

    def _told(
        self, answer: Callable[[Request], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """The same, with every error in words for a person."""

        async def answering(request: Request) -> Response:
            try:
                return await answer(request)
            except Refusal as refusal:
                told = {"error": harmless(str(refusal)), "group": refusal.group}
                return Told({**told, "state": self._desk.state()}, 409)
            except HTTPException as error:
                return Told({"error": error.detail}, error.status_code)
            except UsageError as error:
                return Told({"error": harmless(str(error))}, 400)
            except CatalogError as error:
                return Told({"error": harmless(str(error))}, 500)
            except Ended:
                return Told({"error": "imgcat review ends"}, 503)

        return answering

    # -- reading -------------------------------------------------------------------------------

    async def _page(self, request: Request) -> Response:
        return self._pages.page(request)

    async def _static(self, request: Request) -> Response:
        return self._pages.static(request.path_params["name"])

    async def _state(self, _request: Request) -> Response:
        return Told(self._desk.state())

    async def _groups(self, request: Request) -> Response:
        return Told(await self._desk.groups(PageAsked.of(request.query_params)))

    async def _group(self, request: Request) -> Response:
        found = await self._desk.group(request.path_params["group"][:_MOST_GROUP_NAME])
        if found is None:
            raise HTTPException(404, "this group is not there any more")
        return Told(found)

    async def _folders(self, _request: Request) -> Response:
        return Told(await self._desk.folders())

    async def _history(self, _request: Request) -> Response:
        return Told(await self._desk.history())

    async def _picture(self, request: Request) -> Response:
        level = request.path_params["level"]
        if level not in list(Level):
            raise HTTPException(404, "there is no such size")
        photo = await self._photo(request.path_params["photo"], request.query_params.get("v"))
        wanted = self._previews.get(photo.path, photo.digest, level)
        drawn = await _while_wanted(request, wanted)
        return Response(_had(drawn), media_type="image/jpeg")

    async def _facts(self, request: Request) -> Response:
        photo = await self._photo(request.path_params["photo"], request.query_params.get("v"))
        return Told(told.facts(await self._facts_of(photo)))

    async def _compare(self, request: Request) -> Response:
        from catalog.imaging.judging import compared  # with Pillow, which the list does without

        named = (request.query_params.get(name) for name in ("first", "second"))
        first, second = [await self._photo(_id(text), None) for text in named]
        found = compared(await self._facts_of(first), await self._facts_of(second))
        return Told(told.compared(first, second, found))

    async def _facts_of(self, photo: Photo) -> Facts:
        return _had(await self._previews.facts(photo.path, photo.digest))

    async def _photo(self, number: int, seen: str | None) -> Photo:
        photo = await self._desk.photo(number) if number < 2**63 else None
        if photo is None:
            raise HTTPException(404, "this photo is not there any more")
        if seen is not None and seen != told.tag(photo):
            raise HTTPException(409, "this photo changed")
        return photo

    # -- writing -------------------------------------------------------------------------------

    async def _choose(self, body: Object) -> Response:
        return Told(await self._desk.choose(ChoiceAsked.of(body)))

    async def _choose_all(self, body: Object) -> Response:
        return Told(await self._desk.choose_all(PageAsked.of(texts_in(body))))

    async def _keep_both(self, body: Object) -> Response:
        return Told(await self._desk.keep_both(BothAsked.of(body)))

    async def _step_back(self, body: Object) -> Response:
        return Told(await self._desk.step_back(number_in(body, "step")))

    async def _clear(self, _body: Object) -> Response:
        return Told(await self._desk.clear())

    async def _plan(self, body: Object) -> Response:
        return Told(await self._desk.plan(with_sidecars=flag_in(body, "with_sidecars")))

    async def _apply(self, body: Object) -> Response:
        return Told(await self._desk.apply(plan_in(body)), 202)

    async def _undo(self, body: Object) -> Response:
        return Told(await self._desk.undo(number_in(body, "action")), 202)


async def nothing_there(_request: Request, error: Exception) -> Response:
    """For an address that is none, or one that is not asked so."""
    status = error.status_code if isinstance(error, HTTPException) else 404
    return Told({"error": "there is nothing at this address"}, status)


async def _while_wanted(request: Request, drawing: Coroutine[Any, Any, Result]) -> Result:
    """The result, given up once the browser does not wait any more: a person scrolled past.

    Starlette lets an answer be made to its end whoever is left to hear it.
    """
    drawn = asyncio.ensure_future(drawing)
    gone = asyncio.ensure_future(_gone(request))
    try:
        await asyncio.wait({drawn, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not drawn.done():
            raise HTTPException(499, "nobody waits for this picture any more")
        return drawn.result()
    finally:
        drawn.cancel()
        gone.cancel()


async def _gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _with_body(
    answer: Callable[[Object], Awaitable[Response]],
) -> Callable[[Request], Awaitable[Response]]:
    async def answering(request: Request) -> Response:
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError) as error:
            raise UsageError("the body is not JSON") from error
        if not isinstance(body, dict):
            raise UsageError("the body is not a JSON object")
        return await answer(body)

    return answering


def _had(found: Made | Failure) -> Made:
    """What was made of a photo. Raises HTTPException where it was a Failure."""
    if isinstance(found, Failure):
        detail = f" ({found.detail})" if found.detail else ""
        raise HTTPException(415, harmless(f"cannot be shown: {found.reason}{detail}"))
    return found


def _id(text: str | None) -> int:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise UsageError("photos are named by their ids")
    return int(text)
