"""What holds for the whole catalog."""

from __future__ import annotations

from catalog.model import Recipe
from catalog.store.database import Database, Writer


def recipe(reader: Database | Writer) -> Recipe:
    """Which pixels this catalog's hashes are made of."""
    value = reader.value("SELECT value FROM setting WHERE name = 'recipe'")
    return Recipe(value) if value in list(Recipe) else Recipe.REDUCED


def set_recipe(writer: Writer, value: Recipe) -> None:
    """From now on, hashes are made of these pixels."""
    writer.run("INSERT OR REPLACE INTO setting (name, value) VALUES ('recipe', ?)", (value,))
