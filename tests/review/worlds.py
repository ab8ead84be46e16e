"""Folders of real photos, a catalog of them, and its ``imgcat review`` as it is served."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from tests.review.served import PATIENCE, Answer, Served

WHEN = 1_600_000_000  # that photos were changed: 2020-09-13


def jpeg(seed: int, *, exif: bool = True) -> bytes:
    image = picture(seed, (480, 320))
    data = io.BytesIO()
    facts = Image.Exif()
    facts[0x0110] = "SECRET CAMERA"
    image.save(data, "JPEG", quality=92, **({"exif": facts} if exif else {}))
    return data.getvalue()


def picture(seed: int, size: tuple[int, int]) -> Image.Image:
    """Soft patches of colour; other seeds give other ones, which look like nothing else."""
    chance = random.Random(seed)
    small = Image.frombytes("RGB", (24, 16), chance.randbytes(24 * 16 * 3))
    return small.resize(size, Image.Resampling.BICUBIC)


class Page(Served):
    """The real thing, as the page would ask it."""

    def enter(self) -> Answer:
        headers = self.posting(x_imgcat=None, cookie=None)
        answer = self.ask("POST", "/enter", headers, self.key)
        self.cookie = answer.headers["set-cookie"].partition(";")[0]
        page = self.get("/").body.decode()
        found = re.search(r'name="imgcat-csrf" content="([^"]+)"', page)
        assert found, page
        self.csrf = found[1]
        return answer

    def get(self, path: str) -> Answer:
        return self.ask("GET", path, self.reading())

    def post(self, what: str, body: Any, **instead: str | None) -> Answer:
        return self.ask("POST", f"/api/{what}", self.posting(**instead), json.dumps(body).encode())

    def groups(self, **query: str) -> list[dict[str, Any]]:
        asked = "".join(f"&{name}={value}" for name, value in query.items())
        return self.get(f"/api/groups?count=200{asked}").json["groups"]

    def state(self) -> dict[str, Any]:
        return dict(self.get("/api/state").json)

    def until_found(self, groups: int) -> None:
        self._until(lambda state: state["found"]["groups"] == groups)

    def until_chosen(self, photos: int) -> None:
        self._until(lambda state: state["chosen"]["photos"] == photos)

    def until(self, key: str, value: object) -> dict[str, Any]:
        return self._until(lambda state: state[key] == value)

    def _until(self, so: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while not so(state := self.state()):
            assert time.monotonic() < end, state
            time.sleep(0.05)
        return state


class World:
    """Folders of photos that ``fill`` put there, a catalog of them, and the page."""

    def __init__(
        self, place: Path, fill: Callable[[World], None], options: Sequence[str] = ()
    ) -> None:
        self.photos = place / "photos"
        self.trash = place / "data"
        self.catalog = place / "catalog.db"
        self.environment = {
            **os.environ,
            "XDG_DATA_HOME": str(self.trash),
            "XDG_STATE_HOME": str(place / "state"),
            "XDG_CACHE_HOME": str(place / "cache"),
            "IMGCAT_CATALOG": str(self.catalog),
        }
        self.options = [option.format(photos=self.photos) for option in options]
        fill(self)
        self.imgcat("index", str(self.photos))
        self.page = self.review()

    def put(self, name: str | bytes, data: bytes, *, when: int = WHEN) -> bytes:
        """Write a file below the photos; returns its path."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)
        os.utime(path, (when, when))
        return path

    def path(self, name: str | bytes) -> bytes:
        return os.path.join(os.fsencode(self.photos), os.fsencode(name))

    def imgcat(self, *arguments: str) -> bytes:
        return subprocess.run(
            self._command(*arguments),
            env=self.environment,
            check=True,
            capture_output=True,
            timeout=120,
        ).stdout

    def review(self, *options: str) -> Page:
        """Another review of it, once it has found all groups."""
        process = self.start("review", "--no-browser", *self.options, *options)
        assert process.stdout is not None
        page = Page(process, process.stdout.readline().decode().strip())
        page.enter()
        page.until("ready", True)
        page.until("finding", None)
        return page

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command(*arguments),
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "catalog", *arguments]

    def end(self) -> None:
        """Ctrl-C, after which all is well."""
        code = self.page.end()
        assert (code, "Traceback" in self.page.errors) == (0, False), self.page.errors
        for secret in self.page.secrets:
            assert secret not in self.page.errors

    def files(self) -> dict[bytes, tuple[bytes, int, int]]:
        """Of each file below the photos its bytes, when it was changed, and its mode."""
        found = {}
        top = os.fsencode(self.photos)
        for place, _, names in os.walk(top):
            for name in names:
                path = os.path.join(place, name)
                status = os.lstat(path)
                with open(path, "rb") as file:
                    found[os.path.relpath(path, top)] = (
                        file.read(),
                        status.st_mtime_ns,
                        status.st_mode,
                    )
        return found

    def tree(self) -> str:
        """A hash of all names, bytes, times and modes."""
        return hashlib.sha256(repr(sorted(self.files().items())).encode()).hexdigest()


def group_of(world: World, name: str, **query: str) -> str:
    """The group with a photo of this name."""
    (found,) = (
        group["group"]
        for group in world.page.groups(**query)
        if any(photo["name"] == name for photo in group["photos"])
    )
    return str(found)


def of_dupes(world: World, *options: str) -> list[dict[str, Any]]:
    """The groups as the command tells of them."""
    return list(json.loads(world.imgcat("dupes", "--json", *world.options, *options))["groups"])


def path_of(photo: dict[str, Any]) -> bytes:
    """Of a photo as the command tells of it."""
    exact = photo.get("path_b64")  # where text cannot carry it
    return base64.b64decode(exact) if exact else os.fsencode(photo["path"])
