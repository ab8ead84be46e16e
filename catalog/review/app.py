"""The review as one ASGI application, from its start to its end."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from catalog.review.asked import Review
from catalog.review.desk import Desk
from catalog.review.pages import Pages
from catalog.review.previews import Previews
from catalog.review.routes import Routes, nothing_there
from catalog.review.session import Session


def application(review: Review, session: Session) -> Starlette:
    """What the server serves, behind its guard."""
    desk = Desk(review, session.presence)
    previews = Previews()

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await desk.open()
        previews.start()
        try:
            yield
        finally:
            await desk.close()
            await previews.close()

    return Starlette(
        routes=Routes(desk, previews, Pages()).all(),
        exception_handlers={HTTPException: nothing_there},
        lifespan=lifespan,
    )
