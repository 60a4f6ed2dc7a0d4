"""What of the add-on a translator has to translate: labels, tooltips and texts in the source."""

import ast
from collections.abc import Iterator
from typing import Any

from build import ROOT
from tests.blender.helpers import Addon

ERRORS = {"PortraitError", "CheckpointError", "LatentsError", "CameraRangeError", "unsuitable"}
CALLS = {"iface_", "tip_", "rpt_", "n_", "poll_message_set"} | ERRORS
"""Functions whose first argument is shown."""
COMMAND_LINES = {"cli.py", "__main__.py", "benchmark.py"}
KEYWORDS = {"text", "heading", "title"}
"""Keywords whose argument is shown."""


def of_classes(addon: Addon) -> set[str]:
    """Tooltips of all registered operators, panels and menus; names and tooltips of settings."""
    package, rna_of = addon("ssgan3d_blender"), addon("ssgan3d_blender.manual").rna_of
    found: set[str] = set()
    for module in package.MODULES:
        for cls in module.CLASSES:
            found |= set(_of_class(cls, rna_of(cls)))
    return {text for text in found if _has_words(text)}


def _of_class(cls: Any, rna: Any) -> Iterator[str]:
    yield getattr(cls, "bl_description", "")
    for name in _settings(cls):
        item = rna.properties.get(name)
        if item is None or item.is_hidden:
            continue
        yield from (item.name, item.description)
        if item.type == "ENUM":
            for choice in item.enum_items_static:
                yield from (choice.name, choice.description)


def _settings(cls: Any) -> Iterator[str]:
    """Names of a class's settings, with those that it shares with others of the add-on."""
    package = cls.__module__.rpartition(".")[0]
    for base in cls.__mro__:
        if base.__module__.startswith(package):
            yield from vars(base).get("__annotations__", {})


def of_source() -> set[str]:
    """Texts that the source hands to Blender's layouts and messages.

    What only command lines say, which speak English, is left out.
    """
    found: set[str] = set()
    for path in [*(ROOT / "ssgan3d_blender").glob("*.py"), *(ROOT / "core").glob("*.py")]:
        if path.name in COMMAND_LINES:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call | ast.Assign):
                for argument in _shown(node) if isinstance(node, ast.Call) else _labels(node):
                    found |= {
                        part.value
                        for part in _constants(argument)
                        if isinstance(part.value, str) and _has_words(part.value)
                    }
    return found


def put_together() -> list[str]:
    """Where the source hands words to Blender that are put together in English: nobody can
    translate what comes out.
    """
    found = []
    for path in (ROOT / "ssgan3d_blender").glob("*.py"):
        if path.name in COMMAND_LINES:
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            shown: list[ast.AST | None] = []
            if isinstance(node, ast.Call):
                shown = list(_shown(node))
            elif isinstance(node, ast.FunctionDef) and node.name == "description":
                shown = [part.value for part in ast.walk(node) if isinstance(part, ast.Return)]
            found += [
                f"{path.name}:{text.lineno}"
                for text in shown
                if isinstance(text, ast.JoinedStr)
                and any(
                    _has_words(str(getattr(part, "value", "")))
                    for part in text.values
                    if isinstance(part, ast.Constant)
                )
            ]
    return found


def _shown(call: ast.Call) -> Iterator[ast.expr]:
    name = getattr(call.func, "id", getattr(call.func, "attr", ""))
    if any(
        keyword.arg == "translate" and getattr(keyword.value, "value", None) is False
        for keyword in call.keywords
    ):
        return
    yield from (keyword.value for keyword in call.keywords if keyword.arg in KEYWORDS)
    if name in CALLS:
        yield from call.args[:1]
    if name in {"report", "update_stats"}:
        yield from call.args[1:2]


def _labels(assignment: ast.Assign) -> Iterator[ast.expr]:
    """The label of a class as written: Blender renames a preset menu once one is used."""
    if any(getattr(target, "id", "") == "bl_label" for target in assignment.targets):
        yield assignment.value


def _constants(node: ast.expr) -> Iterator[ast.Constant]:
    """The whole texts of an expression; pieces of a text put together are none."""
    if isinstance(node, ast.Constant):
        yield node
    elif isinstance(node, ast.IfExp):
        yield from (*_constants(node.body), *_constants(node.orelse))


def _has_words(text: str) -> bool:
    return sum(letter.isalpha() for letter in text) > 1
