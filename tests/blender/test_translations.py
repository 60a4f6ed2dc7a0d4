"""German: what there is of it, and that none of it is left over."""

import string
from typing import Any

import pytest

from tests.blender import strings
from tests.blender.helpers import Addon


def test_no_translation_is_of_a_text_that_is_gone(bpy: Any, addon: Addon) -> None:
    german = addon("ssgan3d_blender.translations").GERMAN
    texts = strings.of_classes(addon) | strings.of_source()
    missing = sorted(texts - set(german))
    print(f"{len(missing)} of {len(texts)} texts have no German:", *missing, sep="\n  ")
    left = sorted(set(german) - texts)
    assert not left, f"these translations belong to no text any more: {left}"
    assert len(missing) < 0.5 * len(texts)


def test_translations_have_no_full_stop_and_keep_what_is_filled_in(addon: Addon) -> None:
    for english, german in addon("ssgan3d_blender.translations").GERMAN.items():
        assert german and not german.endswith("."), english  # Blender adds it to tooltips
        fields = [
            [name for _, name, _, _ in string.Formatter().parse(text) if name is not None]
            for text in (english, german)
        ]
        assert fields[0] == fields[1], english


def test_the_interface_speaks_german(bpy: Any) -> None:
    view = bpy.context.preferences.view
    try:
        view.language = "de_DE"
    except TypeError:
        pytest.skip("this bpy was built without languages; Blender itself has them")
    kept = view.use_translate_interface, view.use_translate_tooltips
    view.use_translate_interface = view.use_translate_tooltips = True
    try:
        translated = bpy.app.translations.pgettext_iface("Randomise", "Operator")
        tooltip = bpy.app.translations.pgettext_tip("Whether this part is in the picture")
    finally:
        view.use_translate_interface, view.use_translate_tooltips = kept
        view.language = "DEFAULT"
    assert translated == "Würfeln"
    assert tooltip == "Ob dieser Teil im Bild ist"
