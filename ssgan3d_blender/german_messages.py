"""What the extension reports, in German: errors, warnings and what was done."""

from __future__ import annotations

MESSAGES: dict[str, str] = {
    "A contact sheet needs at least one column, not {0}.": (
        "Ein Kontaktbogen braucht mindestens eine Spalte, nicht {0}."
    ),
    "A picture of {0} × {1} pixels cannot be made; choose a size from 1 × 1 to 8192 × 8192.": (
        "Ein Bild von {0} × {1} Pixeln ist nicht möglich; eine Größe von 1 × 1 bis 8192 × 8192 "
        "wählen."
    ),
    "A picture of {0} × {1} pixels is empty: raise the resolution.": (
        "Ein Bild von {0} × {1} Pixeln ist leer: die Auflösung erhöhen."
    ),
    "A picture of {0} × {1} pixels is too large: portraits render up to {2} pixels a side. "
    "Lower the resolution or its percentage.": (
        "Ein Bild von {0} × {1} Pixeln ist zu groß: Porträts haben höchstens {2} Pixel je "
        "Seite. Die Auflösung oder ihren Prozentwert senken."
    ),
    "A portrait is described by seed, truncation and parts.": (
        "Ein Porträt wird durch Startwert, Vielfalt und Teile beschrieben (seed, truncation, "
        "parts)."
    ),
    "A portrait is mirrored (negative scale): set a positive scale.": (
        "Ein Porträt ist gespiegelt (negative Skalierung): eine positive Skalierung einstellen."
    ),
    "A portrait is saved as .json or .safetensors, not as {0}.": (
        "Ein Porträt wird als .json oder .safetensors gespeichert, nicht als {0}."
    ),
    "A portrait is stretched (scale {0}): a portrait needs one scale in all directions. Set "
    "the same scale in X, Y and Z here and in what it hangs on.": (
        "Ein Porträt ist verzerrt (Skalierung {0}): ein Porträt braucht in allen Richtungen "
        "dieselbe. In X, Y und Z denselben Wert einstellen, hier und bei dem, woran es hängt."
    ),
    "A portrait's scale is zero or not a number: set its scale to 1.": (
        "Die Skalierung eines Porträts ist null oder keine Zahl: auf 1 stellen."
    ),
    "A seed must be a whole number, not {0!r}.": (
        "Ein Startwert muss eine ganze Zahl sein, nicht {0!r}."
    ),
    "A seed must lie between 0 and {0}; it is {1}.": (
        "Ein Startwert muss zwischen 0 und {0} liegen; er ist {1}."
    ),
    "All parts are locked or hidden: open a lock first.": (
        "Alle Teile sind gesperrt oder ausgeblendet: zuerst ein Schloss öffnen."
    ),
    "All parts are locked: open a lock first.": (
        "Alle Teile sind gesperrt: zuerst ein Schloss öffnen."
    ),
    "An override of another file's portrait can be no asset: mark it there.": (
        "Eine Überschreibung eines Porträts aus einer anderen Datei kann kein Asset sein: dort "
        "markieren."
    ),
    "Animated, so the next frame undoes the change: {0}. Insert keyframes here to keep it, or "
    "delete the animation": (
        "Animiert, daher macht das nächste Einzelbild die Änderung rückgängig: {0}. Hier "
        "Keyframes einfügen, um sie zu behalten, oder die Animation löschen"
    ),
    "Blender could not render into {0}.": "Blender konnte nicht nach {0} rendern.",
    "Blender could not write {0}: {1}": "Blender konnte {0} nicht schreiben: {1}",
    "Blender does not say where its Python is, so nothing can be installed: install the zip "
    "that bundles PyTorch.": (
        "Blender sagt nicht, wo sein Python ist, daher kann nichts installiert werden: das Zip "
        "installieren, das PyTorch mitbringt."
    ),
    "Blender is rendering: wait until it is done, or stop it with Esc.": (
        "Blender rendert: warten, bis es fertig ist, oder mit Esc abbrechen."
    ),
    "Blender's Python {0} ({1}) has no pip. Install the zip that bundles PyTorch, or the "
    "Blender from blender.org, whose Python has it.": (
        "Blenders Python {0} ({1}) hat kein pip. Das Zip installieren, das PyTorch mitbringt, "
        "oder das Blender von blender.org, dessen Python es hat."
    ),
    "Blender's Python {0} ({1}) has not got {2}, which portraits need. Preferences > Add-ons > "
    "3D-SSGAN Portraits installs it, with or without a network.": (
        "Blenders Python {0} ({1}) fehlt {2}, was Porträts brauchen. Einstellungen > Add-ons > "
        "3D-SSGAN-Porträts installiert es, mit oder ohne Netz."
    ),
    "Camera {0!r} is of type {1}: portraits need a perspective or an orthographic camera.": (
        "Die Kamera {0!r} ist vom Typ {1}: Porträts brauchen eine perspektivische oder "
        "orthografische Kamera."
    ),
    "Choose another file, or leave the choice empty for the model that comes along.": (
        "Eine andere Datei wählen, oder das Feld leer lassen, für das beiliegende Modell."
    ),
    "Give this portrait the look that it had after this one": (
        "Diesem Porträt das Aussehen geben, das es nach diesem hatte"
    ),
    "Give this portrait the look that it had before": (
        "Diesem Porträt das Aussehen geben, das es vorher hatte"
    ),
    "It is no asset any more: mark it again.": "Es ist kein Asset mehr: noch einmal markieren.",
    "It remembers {0} looks, and they are saved in the file": (
        "Es merkt sich {0} Aussehen, und die Datei speichert sie"
    ),
    "Meshes are written as {0}, not as {1}.": "Meshes werden als {0} geschrieben, nicht als {1}.",
    "New: {0}": "Neu: {0}",
    "No file is chosen: choose one that ends in {0}.": (
        "Keine Datei ist gewählt: eine wählen, die auf {0} endet."
    ),
    "No part is chosen: choose at least one.": "Kein Teil ist gewählt: mindestens einen wählen.",
    "No portrait is in this scene: add one (Add > Portrait).": (
        "In dieser Szene ist kein Porträt: eines hinzufügen (Hinzufügen > Porträt)."
    ),
    "No portrait is selected any more: select one and export again.": (
        "Es ist kein Porträt mehr ausgewählt: eines auswählen und noch einmal exportieren."
    ),
    "No preset is chosen: choose one from the list of presets.": (
        "Keine Vorlage ist gewählt: eine aus der Liste der Vorlagen wählen."
    ),
    "None of {0} people is all of this: {1}. Set one of the wishes to Any.": (
        "Unter {0} Personen ist keine all dies: {1}. Einen der Wünsche auf Beliebig stellen."
    ),
    "None of {0} seeds is all of this: {1}. Take more seeds, or ask for less.": (
        "Unter {0} Startwerten ist keiner all dies: {1}. Mehr Startwerte nehmen oder weniger "
        "wünschen."
    ),
    "None of {0} seeds from {1} on is all of this: {2}. Ask for less.": (
        "Unter {0} Startwerten von {1} an ist keiner all dies: {2}. Weniger wünschen."
    ),
    "None of these parts is there in this portrait: show them, or choose others.": (
        "Keinen dieser Teile gibt es in diesem Porträt: sie einblenden, oder andere wählen."
    ),
    "The active collection is linked from another file": (
        "Die aktive Sammlung ist aus einer anderen Datei verknüpft"
    ),
    "pip failed, and nothing was installed: {0}": (
        "pip ist gescheitert, und nichts wurde installiert: {0}"
    ),
    "Portrait cards updated: {0}": "Aktualisierte Porträtkarten: {0}",
    "Portraits cannot be mixed by {0}.": (
        "Porträts können nicht im Verhältnis {0} gemischt werden."
    ),
    "Portraits get other colours in this file's working space, {0}: choose {1} in Render "
    "Properties > Color Management > Working Space": (
        "Porträts bekommen im Arbeitsfarbraum dieser Datei, {0}, andere Farben: {1} wählen, "
        "unter Render-Eigenschaften > Farbmanagement > Arbeitsfarbraum"
    ),
    "Portraits have no stereo view: switch Stereoscopy off.": (
        "Porträts haben keine Stereoansicht: Stereoskopie ausschalten."
    ),
    "Portraits of a contact sheet have {0} to {1} pixels a side, not {2}.": (
        "Porträts eines Kontaktbogens haben {0} bis {1} Pixel je Seite, nicht {2}."
    ),
    "Portraits of different models cannot be mixed: their codes have shapes {0} and {1}.": (
        "Porträts verschiedener Modelle können nicht gemischt werden: ihre Codes haben die "
        "Formen {0} und {1}."
    ),
    "PyTorch needs {0:.0f} GB, and the disk of {1} has {2:.1f} GB free: make room there and "
    "install again.": (
        "PyTorch braucht {0:.0f} GB, und auf dem Datenträger von {1} sind {2:.1f} GB frei: "
        "dort Platz schaffen und noch einmal installieren."
    ),
    "PyTorch was unpacked and does not work here ({0}). Nothing was installed.": (
        "PyTorch wurde entpackt und läuft hier nicht ({0}). Nichts wurde installiert."
    ),
    "PyTorch was unpacked, but it needs {0} as well: put its wheel into the folder, too. "
    "Nothing was installed.": (
        "PyTorch wurde entpackt, braucht aber auch {0}: dessen Wheel auch in den Ordner legen. "
        "Nichts wurde installiert."
    ),
    "Shape and texture of {0} would be mixed with two portraits, {1}: take both, or set the "
    "mix of one to 0.": (
        "Form und Textur von {0} würden mit zwei Porträts gemischt, {1}: beide nehmen, oder "
        "einen Mischwert auf 0 stellen."
    ),
    "Smoothing must not be negative, and 4 faces are the least of a mesh.": (
        "Die Glättung darf nicht negativ sein, und ein Mesh hat mindestens 4 Flächen."
    ),
    "The background has no mesh: it is a picture behind the portrait.": (
        "Der Hintergrund hat kein Mesh: er ist ein Bild hinter dem Porträt."
    ),
    "The camera is {0:.2f} m away; the model knows {1:.2f} to {2:.1f} m.": (
        "Die Kamera ist {0:.2f} m entfernt; das Modell kennt {1:.2f} bis {2:.1f} m."
    ),
    "The camera stands inside the portrait: move it away.": (
        "Die Kamera steht im Porträt: weiter weg stellen."
    ),
    "The camera stands {0:.0f}° to the side; the model knows up to {1:.0f}°.": (
        "Die Kamera steht {0:.0f}° seitlich; das Modell kennt bis zu {1:.0f}°."
    ),
    "The camera stands {0:.0f}° up or down; the model knows up to {1:.0f}°.": (
        "Die Kamera steht {0:.0f}° über oder unter dem Gesicht; das Modell kennt bis zu {1:.0f}°."
    ),
    "The camera's lens, shift or scale is not a number.": (
        "Brennweite, Verschiebung oder Skalierung der Kamera ist keine Zahl."
    ),
    "The camera's pose has an axis of length zero.": (
        "Die Lage der Kamera hat eine Achse der Länge null."
    ),
    "The camera's pose must be a 4 × 4 matrix of finite numbers.": (
        "Die Lage der Kamera muss eine 4 × 4-Matrix aus endlichen Zahlen sein."
    ),
    "The camera's window {0} is empty or not finite.": (
        "Der Ausschnitt {0} der Kamera ist leer oder nicht endlich."
    ),
    "The disk is full{0}: nothing was written.": (
        "Der Datenträger ist voll{0}: nichts wurde geschrieben."
    ),
    "The disk of {0} is full: {1:.1f} MB are free, and a picture may take {2:.1f} MB. Make "
    "room or choose another folder.": (
        "Der Datenträger von {0} ist voll: {1:.1f} MB sind frei, und ein Bild kann {2:.1f} MB "
        "brauchen. Platz schaffen oder einen anderen Ordner wählen."
    ),
    "The disk ran full, and nothing was installed: make room and install again.": (
        "Die Platte ist voll, und nichts wurde installiert: Platz schaffen und noch einmal "
        "installieren."
    ),
    "The extension's folder cannot be written, or a virus scanner holds it: try again.": (
        "Der Ordner der Erweiterung kann nicht beschrieben werden, oder ein Virenscanner hält "
        "ihn fest: noch einmal versuchen."
    ),
    "The facts about the model are not JSON: {0}.": "Die Angaben zum Modell sind kein JSON: {0}.",
    "The header of {0} is broken (no configuration).": (
        "Der Kopf von {0} ist beschädigt (keine Konfiguration)."
    ),
    "The header of {0} is broken ({1!r}).": "Der Kopf von {0} ist beschädigt ({1!r}).",
    "The image of {0!r} is gone: delete the card and add it anew.": (
        "Das Bild von {0!r} gibt es nicht mehr: die Karte löschen und neu hinzufügen."
    ),
    "The last seed ({0}) comes before the first ({1}): exchange them.": (
        "Der letzte Startwert ({0}) liegt vor dem ersten ({1}): beide vertauschen."
    ),
    "The marker {0} switches to {1} at frame {2}: delete it if this camera shall stay": (
        "Die Markierung {0} schaltet in Einzelbild {2} auf {1} um: sie löschen, wenn diese "
        "Kamera bleiben soll"
    ),
    "The model file {0} cannot be read ({1}).": (
        "Die Modelldatei {0} kann nicht gelesen werden ({1})."
    ),
    "The model is being loaded: free it once it is there": (
        "Das Modell wird gerade geladen: freigeben, wenn es da ist"
    ),
    "The model's configuration does not fit this version: {0}.": (
        "Die Konfiguration des Modells passt nicht zu dieser Version: {0}."
    ),
    "The model's configuration is broken: {0}.": (
        "Die Konfiguration des Modells ist beschädigt: {0}."
    ),
    "The name {0:.30}… is too long for Blender: shortened": (
        "Der Name {0:.30}… ist zu lang für Blender: gekürzt"
    ),
    "The nearest point ({0:.2f} m) must be nearer than the farthest ({1:.2f} m): change one of "
    "them.": (
        "Der nächste Punkt ({0:.2f} m) muss näher liegen als der fernste ({1:.2f} m): einen "
        "von beiden ändern."
    ),
    "The package index cannot be reached: check the connection, or install from a folder of "
    "wheels.": (
        "Der Paketindex ist nicht zu erreichen: die Verbindung prüfen, oder aus einem Ordner mit "
        "Wheels installieren."
    ),
    "The part {0!r} is described in a way that is not understood.": (
        "Der Teil {0!r} ist so beschrieben, dass es nicht zu verstehen ist."
    ),
    "The part {0!r} is not known to this version: choose another.": (
        "Den Teil {0!r} kennt diese Version nicht: einen anderen wählen."
    ),
    "The parts of a portrait must have names.": "Die Teile eines Porträts müssen Namen haben.",
    "The portrait of {0!r} is gone: delete the card as well.": (
        "Das Porträt von {0!r} gibt es nicht mehr: die Karte auch löschen."
    ),
    "The portrait was deleted in the meantime: nothing was changed.": (
        "Das Porträt wurde inzwischen gelöscht: nichts wurde geändert."
    ),
    "The portrait was made with another model: its codes have {0} and {1} numbers, this "
    "model's {2} and {3}. Load that model, or make the portrait anew.": (
        "Das Porträt wurde mit einem anderen Modell gemacht: seine Codes haben {0} und {1} "
        "Zahlen, die dieses Modells {2} und {3}. Jenes Modell laden, oder das Porträt neu "
        "machen."
    ),
    "The portrait {0} cannot be read ({1}).": "Das Porträt {0} kann nicht gelesen werden ({1}).",
    "The recipe of a portrait is broken: {0}.": "Das Rezept eines Porträts ist beschädigt: {0}.",
    "The render was stopped: nothing was written.": (
        "Das Rendern wurde abgebrochen: nichts wurde geschrieben."
    ),
    "The resolution of meshes must lie between {0} and {1}; it is {2}.": (
        "Die Auflösung der Meshes muss zwischen {0} und {1} liegen; sie ist {2}."
    ),
    "The scene was deleted in the meantime: extract the meshes in another.": (
        "Die Szene wurde inzwischen gelöscht: die Meshes in einer anderen erzeugen."
    ),
    "The truncation must be a number from 0 to 1; it is {0}.": (
        "Die Vielfalt muss eine Zahl von 0 bis 1 sein; sie ist {0}."
    ),
    "The weights in {0} do not fit its configuration.": (
        "Die Gewichte in {0} passen nicht zu seiner Konfiguration."
    ),
    "The weights {0} hold values that are not finite as {1}: train on from an earlier "
    "checkpoint.": (
        "Die Gewichte {0} enthalten Werte, die als {1} nicht endlich sind: von einem früheren "
        "Stand weiter trainieren."
    ),
    "The {0} codes of a portrait have shape {1}, not {2}.": (
        "Die Codes {0} eines Porträts haben die Form {1}, nicht {2}."
    ),
    "The {0} codes of a portrait hold values that are not numbers.": (
        "Die Codes {0} eines Porträts enthalten Werte, die keine Zahlen sind."
    ),
    "The {0} must be a number from 0 to 1; it is {1!r}.": (
        "Der Wert {0} muss eine Zahl von 0 bis 1 sein; er ist {1!r}."
    ),
    "There is no attribute {0!r}. Attributes are: {1}.": (
        "Es gibt kein Merkmal {0!r}. Merkmale sind: {1}."
    ),
    "There is no camera to render from.": "Es gibt keine Kamera, aus der gerendert werden könnte.",
    "There is no device {0!r} here; there is: {1}.": (
        "Ein Gerät {0!r} gibt es hier nicht; es gibt: {1}."
    ),
    "There is no earlier look": "Es gibt kein früheres Aussehen",
    "There is no embedded model in {0}: install the add-on's zip anew, or train and export one "
    "(python -m training export).": (
        "In {0} liegt kein Modell: das Zip des Add-ons neu installieren, oder eines trainieren "
        "und exportieren (python -m training export)."
    ),
    "There is no later look": "Es gibt kein späteres Aussehen",
    "There is no mesh to write: no part of the portrait is visible.": (
        "Es gibt kein Mesh zu schreiben: kein Teil des Porträts ist sichtbar."
    ),
    "There is no model file at {0}: choose another one in the preferences (Add-ons > 3D-SSGAN "
    "Portraits), or empty the field for the model that comes along.": (
        "Unter {0} ist keine Modelldatei: in den Einstellungen (Add-ons > 3D-SSGAN-Porträts) "
        "eine andere wählen, oder das Feld leeren, für das beiliegende Modell."
    ),
    "There is no model file {0}.": "Es gibt keine Modelldatei {0}.",
    "There is no part {0!r}: it was made with another version.": (
        "Es gibt keinen Teil {0!r}: das stammt aus einer anderen Version."
    ),
    "There is no precision {0!r}; choose {1}.": "Es gibt keine Genauigkeit {0!r}; wählen: {1}.",
    "There is no seed for the contact sheet.": "Für den Kontaktbogen ist kein Startwert da.",
    "There is no seed in {0!r}: the second number must be larger.": (
        "In {0!r} ist kein Startwert: die zweite Zahl muss größer sein."
    ),
    "There is no {0} in {1} that fits this system and Blender's Python {2}: the name of a wheel "
    "that fits has cp{3} in it, or abi3, or py3.": (
        "Es gibt in {1} kein {0}, das zu diesem System und Blenders Python {2} passt: im Namen "
        "eines passenden Wheels steht cp{3}, abi3 oder py3."
    ),
    "There is no {0}-….whl in {1}: choose the folder that holds the wheels of PyTorch and its "
    "packages (docs/install.md says how to fill it).": (
        "In {1} ist kein {0}-….whl: den Ordner wählen, in dem die Wheels von PyTorch und "
        "seinen Paketen liegen (docs/install.md sagt, wie er gefüllt wird)."
    ),
    "There is not enough memory to unpack PyTorch: close other programs and try again.": (
        "Der Speicher reicht nicht, um PyTorch auszupacken: andere Programme schließen und noch "
        "einmal versuchen."
    ),
    "There is not enough memory: choose a lower resolution or another device.": (
        "Der Arbeitsspeicher reicht nicht: eine kleinere Auflösung oder ein anderes Gerät wählen."
    ),
    "These parts have no surface in this portrait: choose others.": (
        "Diese Teile haben in diesem Porträt keine Oberfläche: andere wählen."
    ),
    "This contact sheet would have {0} × {1} pixels, and {2} a side are the most. Take fewer "
    "seeds or smaller portraits.": (
        "Dieser Kontaktbogen hätte {0} × {1} Pixel, und {2} je Seite sind das Höchste. Weniger "
        "Startwerte oder kleinere Porträts nehmen."
    ),
    "This is no description of a portrait: {0}.": (
        "Das ist keine Beschreibung eines Porträts: {0}."
    ),
    "This model does not say what its people are like: choose the model that comes along, or ask "
    "for nothing.": (
        "Dieses Modell sagt nicht, wie seine Personen sind: das mitgelieferte Modell wählen oder "
        "nichts wünschen."
    ),
    "This place cannot be written{0}: choose another folder.": (
        "Dort kann nicht geschrieben werden{0}: einen anderen Ordner wählen."
    ),
    "This scene has no camera that a card could face: add one.": (
        "Diese Szene hat keine Kamera, zu der eine Karte schauen könnte: eine hinzufügen."
    ),
    "This scene has no camera: add one (Set Up Scene does), or choose the view Front.": (
        "Diese Szene hat keine Kamera: eine hinzufügen (das tut „Szene einrichten“), oder die "
        "Ansicht „Vorne“ wählen."
    ),
    "This scene has no camera: add one and make it active.": (
        "Diese Szene hat keine Kamera: eine hinzufügen und aktivieren."
    ),
    "Unexpected {0}: {1} (details are in the console)": (
        "Unerwartet, {0}: {1} (Näheres steht in der Konsole)"
    ),
    "Visible of {0} must be yes, no or unset.": (
        "„Sichtbar“ von {0} muss ja, nein oder offen sein."
    ),
    "Windows does not allow paths as long as PyTorch's: switch long paths on (docs/install.md "
    "says how), and install again.": (
        "Windows erlaubt so lange Pfade wie die von PyTorch nicht: lange Pfade einschalten "
        "(docs/install.md sagt, wie) und noch einmal installieren."
    ),
    "Wrote {0}": "{0} geschrieben",
    "it moves with its parent {0}": "sie sich mit ihrem Elternobjekt {0} bewegt",
    "its constraint {0} moves it": "ihr Constraint {0} sie bewegt",
    "keyframes or drivers move it": "Keyframes oder Treiber sie bewegen",
    "{0!r} are more than {1} seeds: take fewer.": (
        "{0!r} sind mehr als {1} Startwerte: weniger nehmen."
    ),
    "{0!r} are no seeds: write FROM:TO or numbers, as 0:64 or 3,7.": (
        "{0!r} sind keine Startwerte: VON:BIS oder Zahlen schreiben, wie 0:64 oder 3,7."
    ),
    "{0} cannot be {1!r}, but: {2}.": "{0} kann nicht {1!r} sein, sondern: {2}.",
    "{0} The picture shows the nearest view.": "{0} Das Bild zeigt die nächste Ansicht.",
    "{0} cannot be read ({1}).": "{0} kann nicht gelesen werden ({1}).",
    "{0} ends too early, after {1} bytes: it was not copied whole. Copy it again.": (
        "{0} endet zu früh, nach {1} Bytes: nicht ganz kopiert. Noch einmal kopieren."
    ),
    "{0} has model format {1}, and this version of the add-on reads format {2}. Install the "
    "add-on that the file was made for, or choose another file.": (
        "{0} hat das Modellformat {1}, und diese Version des Add-ons liest Format {2}. Das "
        "Add-on installieren, für das die Datei gemacht ist, oder eine andere Datei wählen."
    ),
    "{0} has portrait format {1}; this version reads {2}.": (
        "{0} hat das Porträtformat {1}; diese Version liest {2}."
    ),
    "{0} has version {1!r} of the format, and this extension reads version {2}: get a newer one.": (
        "{0} hat die Version {1!r} des Formats, und diese Erweiterung liest Version {2}: eine "
        "neuere holen."
    ),
    "{0} has {1:.0f} MiB, which no portrait model has.": (
        "{0} hat {1:.0f} MiB, wie kein Porträtmodell."
    ),
    "{0} holds too few weights for its configuration.": (
        "{0} enthält zu wenige Gewichte für seine Konfiguration."
    ),
    "{0} holds weights that are not finite numbers.": (
        "{0} enthält Gewichte, die keine endlichen Zahlen sind."
    ),
    "{0} images of {1}: {2}, …": "{0} Bilder von {1}: {2}, …",
    "{0} is a safetensors file, but no portrait model.": (
        "{0} ist eine safetensors-Datei, aber kein Porträtmodell."
    ),
    '{0} is damaged: its portrait is called {1:.60}, which is no valid text. Correct "name" in '
    "the file.": (
        "{0} ist beschädigt: sein Porträt heißt {1:.60}, und das ist kein gültiger Text. "
        "„name“ in der Datei berichtigen."
    ),
    "{0} is damaged: {1}": "{0} ist beschädigt: {1}",
    "{0} is locked: open its lock first.": "{0} ist gesperrt: zuerst das Schloss öffnen.",
    "{0} is no preset: {1}. Choose another.": "{0} ist keine Vorlage: {1}. Eine andere wählen.",
    "{0} is not a file.": "{0} ist keine Datei.",
    "{0} is not a portrait, or is damaged ({1}).": (
        "{0} ist kein Porträt oder ist beschädigt ({1})."
    ),
    "{0} is not a portrait, or is damaged: {1}.": "{0} ist kein Porträt oder ist beschädigt: {1}.",
    "{0} is not a portrait. Choose another file.": (
        "{0} ist kein Porträt. Eine andere Datei wählen."
    ),
    "{0} is not a portrait: choose a file that was exported here.": (
        "{0} ist kein Porträt: eine Datei wählen, die hier exportiert wurde."
    ),
    "{0} is not a safetensors file.": "{0} ist keine safetensors-Datei.",
    "{0} is too large for a portrait: choose another file.": (
        "{0} ist zu groß für ein Porträt: eine andere Datei wählen."
    ),
    "{0} is too large to be a portrait. Choose another file.": (
        "{0} ist zu groß für ein Porträt. Eine andere Datei wählen."
    ),
    "{0} must be a number from 0 to 1, not {1!r}.": (
        "{0} muss eine Zahl von 0 bis 1 sein, nicht {1!r}."
    ),
    "{0} must be a whole number up to {1}, not {2!r}.": (
        "{0} muss eine ganze Zahl bis {1} sein, nicht {2!r}."
    ),
    "{0} of {1!r} is {2}, which is not a number: set it to a value between 0 and 1, or mend "
    "the driver that sets it.": (
        "{0} von {1!r} ist {2}, und das ist keine Zahl: einen Wert zwischen 0 und 1 "
        "einstellen, oder den Treiber berichtigen, der ihn setzt."
    ),
    "{0} of {1}": "{0} von {1}",
    "{0} of {1} can be pasted": "{0} von {1} kann eingefügt werden",
    "{0} parts, {1} triangles": "{0} Teile, {1} Dreiecke",
    "{0} MB cannot be kept: give 0 or more.": (
        "{0} MB können nicht behalten werden: 0 oder mehr angeben."
    ),
    "{0} people": "{0} Personen",
    "{0} was left alone, because {1}: {2} is the scene's camera now": (
        "{0} blieb, wie sie war, weil {1}: {2} ist jetzt die Kamera der Szene"
    ),
    "{0} was made for other parts ({1}).": "{0} wurde für andere Teile gemacht ({1}).",
    "{0}, drawn with this portrait's variety of {1:.2f} and not {2:.2f}": (
        "{0}, mit der Vielfalt dieses Porträts von {1:.2f} gezeichnet und nicht {2:.2f}"
    ),
    "{0}. Solid or Material Preview shows them": "{0}. Solid oder Material-Vorschau zeigt sie",
    "{0}. To see it, choose {1} in an Image Editor": (
        "{0}. Um es zu sehen, {1} in einem Bildeditor wählen"
    ),
    "{0}: made with another model, and looks different with this": (
        "{0}: mit einem anderen Modell gemacht, und sieht mit diesem anders aus"
    ),
    "{0}: {1} frames from frame {2}": "{0}: {1} Einzelbilder ab Einzelbild {2}",
    "{0}: {1} triangles": "{0}: {1} Dreiecke",
}
