"""German: what there is of it, and that none of it is left over."""

import string
from typing import Any

import pytest

from tests.blender import strings
from tests.blender.helpers import Addon

THE_SAME_IN_GERMAN = {
    *("CUDA", "Metal", "bfloat16"),
    *("glTF Binary (.glb)", "Wavefront (.obj)", "Stanford (.ply)", "STL (.stl)"),
}


def test_every_text_has_its_german_and_none_is_left_over(bpy: Any, addon: Addon) -> None:
    german = addon("ssgan3d_blender.translations").GERMAN
    texts = strings.of_classes(addon) | strings.of_source()
    missing = sorted(texts - set(german))
    print(f"{len(missing)} of {len(texts)} texts have no German:", *missing, sep="\n  ")
    left = sorted(set(german) - texts)
    assert not left, f"these translations belong to no text any more: {left}"
    assert set(missing) == THE_SAME_IN_GERMAN


def test_no_text_is_put_together_from_english_words() -> None:
    assert not strings.put_together()


def test_translations_have_no_full_stop_and_keep_what_is_filled_in(addon: Addon) -> None:
    for english, german in addon("ssgan3d_blender.translations").GERMAN.items():
        assert german.endswith(".") == english.endswith("."), english  # tooltips get theirs
        fields = [
            sorted(
                (name, spec or "", conversion or "")
                for _, name, spec, conversion in string.Formatter().parse(text)
                if name is not None
            )
            for text in (english, german)
        ]
        assert fields[0] == fields[1], english


def test_errors_are_told_in_the_language_of_the_interface(
    addon: Addon, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages, german = addon("ssgan3d_blender.messages"), addon("ssgan3d_blender.translations")
    monkeypatch.setattr(messages, "rpt_", lambda text: german.GERMAN.get(text, text))
    failure = addon("core.errors").PortraitError
    assert messages.describe(failure("{0} is locked: open its lock first.", "Hair")) == (
        "Hair ist gesperrt: zuerst das Schloss öffnen."
    )
    inner = failure("There is no part {0!r}: it was made with another version.", "tail")
    assert messages.describe(failure("{0} is damaged: {1}", "a.ssgan3d", inner)) == (
        "a.ssgan3d ist beschädigt: "
        "Es gibt keinen Teil 'tail': das stammt aus einer anderen Version."
    )
    assert messages.describe(failure("{not} a field")) == "{not} a field"


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
