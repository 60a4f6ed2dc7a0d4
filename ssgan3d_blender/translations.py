"""The interface in other languages: German so far. A text that is missing here stays English."""

from __future__ import annotations

import bpy

from .german_attributes import ATTRIBUTES
from .german_messages import MESSAGES
from .torch_setup import PACKAGE

_OTHERS = MESSAGES | ATTRIBUTES

GERMAN: dict[str, str] = {
    "0 is the average face, 1 the full range of faces, odd ones among them": (
        "0 ist das Durchschnittsgesicht, 1 die ganze Vielfalt der Gesichter, auch seltsamer"
    ),
    "16 bit": "16 Bit",
    "16 bit with the range of 32": "16 Bit mit dem Wertebereich von 32",
    "32 bit: the reference": "32 Bit: der Maßstab",
    "3D-SSGAN Portraits": "3D-SSGAN-Porträts",
    "A graphics card if PyTorch can use one, else the processor": (
        "Eine Grafikkarte, wenn PyTorch sie benutzen kann, sonst der Prozessor"
    ),
    "A model of your own (.safetensors). Empty: the model that comes with the extension": (
        "Ein eigenes Modell (.safetensors). Leer: das Modell, das der Erweiterung beiliegt"
    ),
    "About {} triangles": "Etwa {} Dreiecke",
    "Active Part": "Aktiver Teil",
    "Add Portrait": "Porträt hinzufügen",
    "Add Portrait Card": "Porträtkarte hinzufügen",
    "Add Portrait Preset": "Porträtvorlage hinzufügen",
    "Add a camera that moves before the face, keyframed as a seamless loop that stays where the "
    "model knows the portrait": (
        "Eine Kamera hinzufügen, die sich vor dem Gesicht bewegt, mit Keyframes als nahtlose "
        "Schleife, die dort bleibt, wo das Modell das Porträt kennt"
    ),
    "Add a portrait at the 3D cursor: a generated person, made from one number": (
        "Am 3D-Cursor ein Porträt hinzufügen: eine erzeugte Person, aus einer einzigen Zahl gemacht"
    ),
    "Add the person that a portrait file describes at the 3D cursor": (
        "Am 3D-Cursor die Person hinzufügen, die eine Porträtdatei beschreibt"
    ),
    "Also make one mask a part, as texture nodes in the card's material": (
        "Auch je Teil eine Maske machen, als Texturknoten im Material der Karte"
    ),
    "Also make one soft mask for each part": "Auch für jeden Teil eine weiche Maske machen",
    "Always there, even if the portrait's seed lacks it": (
        "Immer da, auch wenn er im Startwert des Porträts fehlt"
    ),
    "Among which people those are looked for. -1 draws them": (
        "Unter welchen Personen sie gesucht werden. -1 würfelt sie"
    ),
    "An NVIDIA graphics card (or AMD with ROCm)": "Eine Grafikkarte von NVIDIA (oder AMD mit ROCm)",
    "An image with UVs, as sharp as the portrait's pictures whatever the mesh; objects have vertex "
    "colours as well": (
        "Ein Bild mit UVs, so scharf wie die Bilder des Porträts, gleich wie fein das Mesh ist; "
        "Objekte haben auch Vertexfarben"
    ),
    "An object for each part": "Ein Objekt für jeden Teil",
    "Another person, or another version of one part with the others as they are, which is there "
    "then if the person lacks it. Locked parts stay exactly as they are; as long as there are any, "
    "no other part, such as glasses, comes or goes": (
        "Eine andere Person, oder ein Teil anders und die übrigen, wie sie sind; fehlt er der "
        "Person, ist er dann da. Gesperrte Teile bleiben genau so; solange es welche gibt, kommt "
        "und geht kein anderer Teil, etwa eine Brille"
    ),
    "Another person, parts and all": "Eine andere Person mit allen Teilen",
    "Apply Portrait Preset": "Porträtvorlage anwenden",
    "As Rendered": "Wie gerendert",
    "As the colour of a matt surface under the scene's lamps": (
        "Als Farbe einer matten Fläche unter den Lampen der Szene"
    ),
    "As the Portrait": "Wie das Porträt",
    "Attribute": "Merkmal",
    "Automatic": "Automatisch",
    "Back": "Zurück",
    "Background": "Hintergrund",
    "Brows": "Brauen",
    "Camera": "Kamera",
    "Camera Path": "Kamerafahrt",
    "Camera to Face": "Kamera vors Gesicht",
    "Cancel": "Abbrechen",
    "Card": "Karte",
    "Change": "Änderung",
    "Change some of the parts, each to that of another person. Locked and hidden parts stay "
    "exactly as they are, and no part, such as glasses, comes or goes": (
        "Einige Teile ändern, jeden in den einer anderen Person. Gesperrte und versteckte Teile "
        "bleiben genau so, und kein Teil, etwa eine Brille, kommt oder geht"
    ),
    "Clothes": "Kleidung",
    "Cells of the grid along each side: higher shows finer shapes and takes longer": (
        "Zellen des Gitters an jeder Seite: mehr zeigen feinere Formen und dauern länger"
    ),
    "Colours": "Farben",
    "Colours are not the model's": "Die Farben sind nicht die des Modells",
    "Columns": "Spalten",
    "Contact Sheet": "Kontaktbogen",
    "Counting triangles": "Dreiecke zählen",
    "Counting triangles …": "Dreiecke werden gezählt …",
    "Give this portrait the part that was copied, even if its own is locked": (
        "Diesem Porträt den kopierten Teil geben, auch wenn sein eigener gesperrt ist"
    ),
    "Give this portrait this part of {0}, even if its own is locked: {1}": (
        "Diesem Porträt diesen Teil von {0} geben, auch wenn sein eigener gesperrt ist: {1}"
    ),
    "In memory: {0} on {1}, {2}": "Im Speicher: {0} auf {1}, {2}",
    "Measuring": "Messung",
    "No estimate of triangles": "Keine Schätzung der Dreiecke",
    "Copy Part": "Teil kopieren",
    "Copy SHA-256": "SHA-256 kopieren",
    "Copy a part first": "Zuerst einen Teil kopieren",
    "Copy the model file's SHA-256, to compare it with what its maker says": (
        "Den SHA-256 der Modelldatei kopieren, um ihn mit der Angabe des Herstellers zu vergleichen"
    ),
    "Cryptomatte of the Parts": "Cryptomatte der Teile",
    "Cut the portrait out of its background": "Das Porträt aus seinem Hintergrund ausschneiden",
    "Data": "Daten",
    "Default": "Standard",
    "Delete the PyTorch that this extension installed; portraits cannot be drawn without one": (
        "Das PyTorch löschen, das diese Erweiterung installiert hat; ohne eines lassen sich keine"
        " Porträts zeichnen"
    ),
    "Depth": "Tiefe",
    "Device": "Gerät",
    "Direction": "Richtung",
    "Distance from the head at the beginning, for a portrait of scale 1": (
        "Abstand vom Kopf am Anfang, für ein Porträt mit Skalierung 1"
    ),
    "Distance from the head at the turning point, for a portrait of scale 1": (
        "Abstand vom Kopf am Umkehrpunkt, für ein Porträt mit Skalierung 1"
    ),
    "Dolly": "Heranfahrt",
    "Dolly Zoom": "Vertigo-Effekt",
    "Download PyTorch (about 200 MB) from pytorch.org into this extension's own folder, so that "
    "portraits can be drawn. Blender's own packages stay as they are": (
        "PyTorch (etwa 200 MB) von pytorch.org in den eigenen Ordner dieser Erweiterung laden, "
        "damit Porträts gezeichnet werden können. Blenders eigene Pakete bleiben, wie sie sind"
    ),
    "Draw a portrait from some cameras on each device and in each precision, and tell how long it "
    "takes. Nothing in the file changes": (
        "Ein Porträt auf jedem Gerät und in jeder Genauigkeit aus einigen Kameras zeichnen und "
        "sagen, wie lange es dauert. In der Datei ändert sich nichts"
    ),
    "Draw all portraits on this device and in this precision from now on": (
        "Von nun an alle Porträts auf diesem Gerät und in dieser Genauigkeit zeichnen"
    ),
    "Draws portraits only": "Zeichnet nur Porträts",
    "Draw this part, or for what is the whole person's another person, from those who are like "
    "this. Chance keeps to it until it is set to Any": (
        "Diesen Teil von denen ziehen, die so sind; was die ganze Person betrifft, zieht eine "
        "andere Person. Der Zufall hält sich daran, bis wieder Beliebig gewählt ist"
    ),
    "Earlier or Later Look": "Früheres oder späteres Aussehen",
    "Earrings": "Ohrringe",
    "Ears": "Ohren",
    "Export Part Meshes": "Teil-Meshes exportieren",
    "Export Portrait": "Porträt exportieren",
    "Extract Part Meshes": "Teil-Meshes erzeugen",
    "Eyes": "Augen",
    "Face": "Gesicht",
    "Face Limit": "Flächengrenze",
    "Farthest": "Weitester",
    "Figure Eight": "Liegende Acht",
    "Folder": "Ordner",
    "For Cycles and EEVEE scenes": "Für Szenen in Cycles und EEVEE",
    "Format": "Format",
    "Forward": "Vor",
    "Frames": "Bilder",
    "Free Memory": "Speicher freigeben",
    "From Another Portrait": "Von einem anderen Porträt",
    "From Seed": "Von Startwert",
    "From side to side": "Hin und her",
    "From side to side and up and down": "Hin und her und auf und ab",
    "From the scene's camera": "Aus der Kamera der Szene",
    "From where": "Von wo aus",
    "Front": "Vorne",
    "Full": "Voll",
    "Give the chosen part the look that it has in the portrait above, whose seeds it takes. "
    "Variety stays this portrait's. A locked part is replaced as well": (
        "Dem gewählten Teil das Aussehen geben, das er im Porträt darüber hat; er übernimmt "
        "dessen Startwerte. Die Vielfalt bleibt die dieses Porträts. Auch ein gesperrter Teil wird "
        "ersetzt"
    ),
    "Give the part this look, even if it is locked": (
        "Dem Teil dieses Aussehen geben, auch wenn er gesperrt ist"
    ),
    "Give this part back the look that it has in this portrait by itself, even if it is locked": (
        "Diesem Teil das Aussehen zurückgeben, das er in diesem Porträt von sich aus hat, auch "
        "wenn er gesperrt ist"
    ),
    "Give this portrait the look of the preset, all parts and the variety": (
        "Diesem Porträt das Aussehen der Vorlage geben, alle Teile und die Vielfalt"
    ),
    "Gives this part the colour and texture it has in the portrait of that seed. -1: this "
    "portrait's own": (
        "Gibt diesem Teil die Farbe und Textur, die er im Porträt dieses Startwerts hat. -1: die "
        "eigenen dieses Porträts"
    ),
    "Gives this part the shape it has in the portrait of that seed. -1: this portrait's own": (
        "Gibt diesem Teil die Form, die er im Porträt dieses Startwerts hat. -1: die eigene "
        "dieses Porträts"
    ),
    "Glasses": "Brille",
    "Hair": "Haare",
    "Half": "Halb",
    "Hat": "Hut",
    "Height": "Höhe",
    "Hide": "Verstecken",
    "Hide this part or show it again. Parts that not everybody has, such as glasses, go from as "
    "the seed has it (dot) to always there to hidden": (
        "Diesen Teil verstecken oder wieder zeigen. Teile, die nicht jeder hat, etwa eine Brille,"
        " gehen von wie im Startwert (Punkt) zu immer da zu versteckt"
    ),
    "How exactly numbers are kept; less is faster where the device supports it": (
        "Wie genau Zahlen gehalten werden; weniger ist schneller, wo das Gerät es kann"
    ),
    "How far colour and texture of this part move towards the mix seed's": (
        "Wie weit Farbe und Textur dieses Teils zu denen des Mischwerts rücken"
    ),
    "How far the camera swings to each side": "Wie weit die Kamera zu jeder Seite schwingt",
    "How far the eight reaches up and down": "Wie weit die Acht nach oben und unten reicht",
    "How far the shape of this part moves towards the mix seed's": (
        "Wie weit die Form dieses Teils zu der des Mischwerts rückt"
    ),
    "How much memory finished parts and views may take, so that they are drawn again at once: with "
    "the embedded model on a processor 9 to 13 MB a portrait and 5 MB a view. What was used "
    "longest ago goes first, and is computed anew": (
        "Wie viel Speicher fertige Teile und Ansichten belegen dürfen, damit sie sofort wieder "
        "gezeichnet werden: mit dem beiliegenden Modell auf einem Prozessor 9 bis 13 MB je Porträt "
        "und 5 MB je Ansicht. Was am längsten nicht gebraucht wurde, geht zuerst und wird neu "
        "berechnet"
    ),
    "How the camera moves": "Wie die Kamera sich bewegt",
    "How the meshes get the portrait's colours": "Wie die Meshes die Farben des Porträts bekommen",
    "How the picture meets the scene's light": "Wie das Bild mit dem Licht der Szene umgeht",
    "Image": "Bild",
    "Import Portrait": "Porträt importieren",
    "In pixels": "In Pixeln",
    "In the model's own colours, whatever the light": (
        "In den Farben des Modells, gleich welches Licht"
    ),
    "Include": "Einbeziehen",
    "Install PyTorch": "PyTorch installieren",
    "Install PyTorch first": "Zuerst PyTorch installieren",
    "Install PyTorch without a network, from a folder with the wheels of torch and of what it "
    "needs, so that portraits can be drawn": (
        "PyTorch ohne Netz installieren, aus einem Ordner mit den Wheels von torch und dem, was "
        "es braucht, damit Porträts gezeichnet werden können"
    ),
    "Install from Folder": "Aus Ordner installieren",
    "Its colours; the shape stays": "Seine Farben; die Form bleibt",
    "Its shape and its colours": "Seine Form und seine Farben",
    "Its shape; the colours stay": "Seine Form; die Farben bleiben",
    "Keep one image more for each part, white where the part is seen, as texture nodes in the "
    "card's material. Switching it off removes them": (
        "Für jeden Teil ein weiteres Bild halten, weiß, wo der Teil zu sehen ist, als "
        "Texturknoten im Material der Karte. Ausschalten entfernt sie"
    ),
    "Keep this part exactly as it is when the portrait is randomised. A lock holds against chance,"
    " not against what you set, take, paste or reset yourself": (
        "Diesen Teil genau so lassen, wenn das Porträt gewürfelt wird. Die Sperre hält gegen den "
        "Zufall, nicht gegen das, was selbst eingestellt, genommen, eingefügt oder zurückgesetzt "
        "wird"
    ),
    "Leave edit mode first": "Zuerst den Bearbeitungsmodus verlassen",
    "Left out; what is behind it shows": "Weggelassen; was dahinter ist, wird sichtbar",
    "Length of the loop: the picture after the last frame is the first one again": (
        "Länge der Schleife: nach dem letzten Bild kommt wieder das erste"
    ),
    "Levels": "Stufen",
    "Licence": "Lizenz",
    "Lit": "Beleuchtet",
    "Live": "Laufend",
    "Loading the portrait model": "Das Porträtmodell wird geladen",
    "Lock": "Sperren",
    "Lock Interface": "Oberfläche sperren",
    "Make F12 render the portrait: portrait engine, true colours, a camera before the face": (
        "F12 das Porträt rendern lassen: Porträt-Engine, echte Farben, eine Kamera vor dem Gesicht"
    ),
    "Make it the scene's camera and set the scene's frame range to the loop": (
        "Sie zur Kamera der Szene machen und deren Bildbereich auf die Schleife setzen"
    ),
    "Make images of this portrait, its parts in colour and its depth, for use as textures. They "
    "are packed into the file; rendering again replaces them wherever they are used": (
        "Bilder dieses Porträts machen, seiner Teile in Farbe und seiner Tiefe, als Texturen. Sie"
        " werden in die Datei gepackt; erneutes Rendern ersetzt sie überall, wo sie benutzt "
        "werden"
    ),
    "Make one image of many people, each with the number to type into Seed. It is packed into the"
    " file; the next sheet replaces it": (
        "Ein Bild mit vielen Personen machen, jede mit der Zahl, die als Startwert einzugeben "
        "ist. Es wird in die Datei gepackt; der nächste Bogen ersetzt es"
    ),
    "Make one mesh object for each part, in the portrait's colours, in its place and of life "
    "size. Extracting again replaces them": (
        "Für jeden Teil ein Mesh-Objekt machen, in den Farben des Porträts, an seiner Stelle und "
        "in Lebensgröße. Erneutes Erzeugen ersetzt sie"
    ),
    "Mark as Portrait Asset": "Als Porträt-Asset kennzeichnen",
    "Masks": "Masken",
    "Measure": "Messen",
    "Memory Limit in MB": "Speichergrenze in MB",
    "Mesh this portrait's parts and write them to a GLB, OBJ, PLY or STL file, in metres, in the "
    "portrait's colours: one mesh a part in GLB, one mesh in the other formats. The scene stays as "
    "it is": (
        "Aus den Teilen dieses Porträts Meshes machen und sie in eine Datei GLB, OBJ, PLY oder "
        "STL schreiben, in Metern, in den Farben des Porträts: ein Mesh je Teil in GLB, ein Mesh "
        "in den anderen Formaten. Die Szene bleibt, wie sie ist"
    ),
    "Mix Seed": "Mischwert",
    "Mixed from all sides that show a point: no seams, as fine as the mesh": (
        "Aus allen Seiten gemischt, die einen Punkt zeigen: keine Nähte, so fein wie das Mesh"
    ),
    "Model File": "Modelldatei",
    "Mouth": "Mund",
    "Name": "Name",
    "Nearest": "Nächster",
    "Nearest View": "Nächste Ansicht",
    "Neck": "Hals",
    "No model in memory": "Kein Modell im Speicher",
    "No portrait is selected": "Kein Porträt ist ausgewählt",
    "Nose": "Nase",
    "Objects": "Objekte",
    "Numpad . goes to the portrait; Set Up Scene, in the sidebar (N), shows the face": (
        "Ziffernblock . geht zum Porträt; Szene einrichten, in der Seitenleiste (N), zeigt das "
        "Gesicht"
    ),
    "One a Part": "Eines je Teil",
    "One for All": "Eines für alle",
    "One mesh with vertex colours, never with a texture": (
        "Ein Mesh mit Vertexfarben, nie mit einer Textur"
    ),
    "One mesh with vertex colours, or with a texture: a .mtl and a .png file beside it": (
        "Ein Mesh mit Vertexfarben oder mit einer Textur: eine .mtl- und eine .png-Datei daneben"
    ),
    "One mesh without colours, for printing": "Ein Mesh ohne Farben, zum Drucken",
    "One object, with a vertex group for each part": (
        "Ein Objekt mit einer Vertexgruppe für jeden Teil"
    ),
    "Only background": "Nur Hintergrund",
    "Only brows": "Nur Brauen",
    "Only clothes": "Nur Kleidung",
    "Only earrings": "Nur Ohrringe",
    "Only ears": "Nur Ohren",
    "Only eyes": "Nur Augen",
    "Only face": "Nur Gesicht",
    "Only glasses": "Nur Brille",
    "Only hair": "Nur Haare",
    "Only hat": "Nur Hut",
    "Only mouth": "Nur Mund",
    "Only neck": "Nur Hals",
    "Only nose": "Nur Nase",
    "Only {} is shown": "Zu sehen ist nur: {}",
    "Output": "Ausgabe",
    "Outside the Range": "Außerhalb des Bereichs",
    "Parameters": "Parameter",
    "Part": "Teil",
    "Part Index": "Teil-Index",
    "Part Masks": "Teil-Masken",
    "Part meshes need these packages as well: {}": "Teil-Meshes brauchen auch diese Pakete: {}",
    "Parts": "Teile",
    "Picture of the Asset": "Bild des Assets",
    "PLY files hold vertex colours, no texture": "PLY-Dateien haben Vertexfarben, keine Textur",
    "Parts apart and named, with vertex colours or a texture inside of the file": (
        "Teile getrennt und benannt, mit Vertexfarben oder einer Textur in der Datei"
    ),
    "Passes": "Passes",
    "Parts with more triangles are brought down to this number: objects by a Decimate modifier "
    "that can be taken away again, files for good. 0: no limit": (
        "Teile mit mehr Dreiecken werden auf diese Zahl gebracht: Objekte durch einen Modifikator "
        "Dezimieren, der sich wieder entfernen lässt, Dateien für immer. 0: keine Grenze"
    ),
    "Paste Part": "Teil einfügen",
    "Path": "Bahn",
    "People in a row. 0: about as many as there are rows": (
        "Personen in einer Reihe. 0: etwa so viele, wie es Reihen gibt"
    ),
    "Pick another portrait of this scene first": "Zuerst ein anderes Porträt dieser Szene wählen",
    "Pixels of each portrait along a side": "Pixel jedes Porträts an einer Seite",
    "Portrait": "Porträt",
    "Portrait ({})": "Porträt ({})",
    "Portrait Card": "Porträtkarte",
    "Portrait Engine": "Porträt-Engine",
    "Portrait Presets": "Porträtvorlagen",
    "Portrait {0} of {1}": "Porträt {0} von {1}",
    "Portraits need these packages as well: {}": "Porträts brauchen auch diese Pakete: {}",
    "Precision": "Genauigkeit",
    "Processor": "Prozessor",
    "Processor: {0} threads, {1}": "Prozessor: {0} Threads, {1}",
    "Put the scene's camera before the active portrait's face, framed as the model was trained. "
    "Makes a camera if the scene has none, or one that a parent, a constraint or keyframes move, "
    "which stays as it is": (
        "Die Kamera der Szene vor das Gesicht des aktiven Porträts stellen, im Bildausschnitt, "
        "mit dem das Modell trainiert wurde. Macht eine Kamera, wenn die Szene keine hat oder "
        "eine, die ein Eltern-Objekt, ein Constraint oder Keyframes bewegen; diese bleibt, wie sie "
        "ist"
    ),
    "PyTorch is being installed": "PyTorch wird gerade installiert",
    "PyTorch is in use: restart Blender first": (
        "PyTorch ist in Benutzung: zuerst Blender neu starten"
    ),
    "PyTorch, which draws the portraits, was not found": (
        "PyTorch, das die Porträts zeichnet, wurde nicht gefunden"
    ),
    "Randomise": "Würfeln",
    "Remember how the chosen part looks, to paste it into another portrait": (
        "Sich das Aussehen des gewählten Teils merken, um es in ein anderes Porträt einzufügen"
    ),
    "Remove": "Entfernen",
    "Render > Color Management": "Render > Farbverwaltung",
    "Render Image": "Bild rendern",
    "Render this frame into one multilayer EXR file in 32 bits: picture, depth, part index, a soft "
    "mask for each part, and Cryptomatte, without the compositor. Esc stops it. The scene's "
    "settings stay as they are": (
        "Dieses Einzelbild in eine EXR-Datei mit mehreren Ebenen in 32 Bit rendern: Bild, Tiefe, "
        "Teil-Index, eine weiche Maske je Teil und Cryptomatte, ohne den Compositor. Esc hält es "
        "an. Die Einstellungen der Szene bleiben, wie sie sind"
    ),
    "Render this scene with the portraits": "Diese Szene mit den Porträts rendern",
    "Render to Images": "In Bilder rendern",
    "Rendering": "Rendert",
    "Renders of live cards need": "Laufende Karten brauchen beim Rendern",
    "Reset Part": "Teil zurücksetzen",
    "Resolution": "Auflösung",
    "Rise": "Anstieg",
    "Rounds of smoothing that take away the steps of the grid": (
        "Runden von Glättung, die die Stufen des Gitters wegnehmen"
    ),
    "STL files hold no colours": "STL-Dateien haben keine Farben",
    "Save All Passes": "Alle Passes speichern",
    "Seed": "Startwert",
    "Select a portrait first (Add > Portrait makes one)": (
        "Zuerst ein Porträt auswählen (Hinzufügen > Porträt macht eines)"
    ),
    "Set Up Scene": "Szene einrichten",
    "Shading": "Schattierung",
    "Shape": "Form",
    "Shape Mix": "Form mischen",
    "Shape Seed": "Startwert der Form",
    "Shape and Texture": "Form und Textur",
    "Show": "Zeigen",
    "Show a message in the status bar": "In der Statusleiste eine Mitteilung zeigen",
    "Show colours as the model makes them: view transform Standard, no look, no exposure, no white "
    "balance. AgX and Filmic are made for light and wash a finished picture out": (
        "Farben zeigen, wie das Modell sie macht: Ansichtstransformation Standard, kein Look, "
        "keine Belichtung, kein Weißabgleich. AgX und Filmic sind für Licht gemacht und lassen ein "
        "fertiges Bild verblassen"
    ),
    "Show eight pictures of this portrait, each with the chosen part of another person whose face "
    "is like it. The portrait changes when you take one": (
        "Acht Bilder dieses Porträts zeigen, jedes mit dem gewählten Teil einer anderen Person, "
        "deren Gesicht ihm gleicht. Das Porträt ändert sich, wenn eines genommen wird"
    ),
    "Show or Hide Part": "Teil zeigen oder verstecken",
    "Show the nearest view that the model knows": (
        "Die nächste Ansicht zeigen, die das Modell kennt"
    ),
    "Show this part alone, or all parts again. Which parts are hidden is remembered. Renders and "
    "meshes follow": (
        "Diesen Teil allein zeigen oder wieder alle. Welche Teile versteckt sind, wird behalten. "
        "Renderings und Meshes folgen"
    ),
    "Show this portrait in the asset browser, with its picture. Marking it again brings the "
    "picture up to date. Save the file in an asset library to drag the person into any scene": (
        "Dieses Porträt mit seinem Bild im Asset-Browser zeigen. Erneutes Kennzeichnen bringt das"
        " Bild auf den neuesten Stand. Liegt die Datei in einer Asset-Bibliothek, lässt sich die "
        "Person in jede Szene ziehen"
    ),
    "Side of the card's picture in pixels": "Seite des Bildes der Karte in Pixeln",
    "Size": "Größe",
    "Smoothing": "Glättung",
    "Solo": "Solo",
    "Stand the portrait in a Cycles or EEVEE scene: a plane with its picture, cut out, that faces"
    " the scene's camera and follows camera, portrait and frame. Sets Lock Interface, so that "
    "cards can change during a render": (
        "Das Porträt in eine Szene in Cycles oder EEVEE stellen: eine Fläche mit seinem "
        "ausgeschnittenen Bild, die sich zur Kamera der Szene dreht und Kamera, Porträt und "
        "Einzelbild folgt. Schaltet Oberfläche sperren ein, damit sich Karten beim Rendern ändern"
        " können"
    ),
    "Stop": "Anhalten",
    "Stop the render with a message that names the angle": (
        "Das Rendern mit einer Meldung anhalten, die den Winkel nennt"
    ),
    "Stop what is being computed for portraits; nothing in the file changes": (
        "Anhalten, was für Porträts berechnet wird; in der Datei ändert sich nichts"
    ),
    "Straight from the front, framed as the model was trained": (
        "Genau von vorne, im Bildausschnitt, mit dem das Modell trainiert wurde"
    ),
    "Suggest": "Vorschlagen",
    "Suggest {}": "{} vorschlagen",
    "Suggesting {}": "{}: Vorschläge",
    "Suggestions": "Vorschläge",
    "Surprise": "Überraschung",
    "Surprise Me": "Überrasche mich",
    "Switch on Preferences > System > Network > Allow Online Access, or install from a folder": (
        "Einstellungen > System > Netzwerk > Online-Zugriff erlauben einschalten, oder aus einem "
        "Ordner installieren"
    ),
    "Swing": "Ausschlag",
    "Take": "Nehmen",
    "Tell": "Mitteilen",
    "Take Part": "Teil übernehmen",
    "Take the model out of memory; the next picture loads it again": (
        "Das Modell aus dem Speicher nehmen; das nächste Bild lädt es wieder"
    ),
    "Texture": "Textur",
    "Texture Mix": "Textur mischen",
    "Texture Seed": "Startwert der Textur",
    "The angle from which the camera looks down on the face": (
        "Der Winkel, aus dem die Kamera auf das Gesicht hinabblickt"
    ),
    "The card's picture": "Das Bild der Karte",
    "The first person": "Die erste Person",
    "The graphics part of an Apple processor": "Der Grafikteil eines Apple-Prozessors",
    "The last person": "Die letzte Person",
    "The look that this portrait had before": "Das Aussehen, das dieses Porträt vorher hatte",
    "The look that you went back from": "Das Aussehen, von dem aus zurückgegangen wurde",
    "The model is loaded, but something else is selected now": (
        "Das Modell ist geladen, aber jetzt ist etwas anderes ausgewählt"
    ),
    "The new seed. -1 draws one": "Der neue Startwert. -1 würfelt einen",
    "The only part in the picture. Empty: all of them": "Der einzige Teil im Bild. Leer: alle",
    "The part whose settings are shown": "Der Teil, dessen Einstellungen gezeigt werden",
    "The portrait has changed since": "Das Porträt hat sich seither geändert",
    "The portrait that the two mix sliders blend this part towards. -1: none": (
        "Das Porträt, zu dem die beiden Mischregler diesen Teil rücken. -1: keines"
    ),
    "The processor": "Der Prozessor",
    "The scene has no camera that a card could face": (
        "Die Szene hat keine Kamera, zu der eine Karte sich drehen könnte"
    ),
    "The scene has no camera: Set Up Scene makes one": (
        "Die Szene hat keine Kamera: Szene einrichten macht eine"
    ),
    "There if the portrait's seed has it": "Da, wenn der Startwert des Porträts ihn hat",
    "This object stands for a generated portrait": "Dieses Objekt steht für ein erzeugtes Porträt",
    "This plane shows a portrait": "Diese Fläche zeigt ein Porträt",
    "This portrait has a card already": "Dieses Porträt hat schon eine Karte",
    "This portrait is linked from another file: make an override first": (
        "Dieses Porträt ist aus einer anderen Datei verknüpft: zuerst eine Überschreibung anlegen"
    ),
    "This scene has no portrait card: add one first": (
        "Diese Szene hat keine Porträtkarte: zuerst eine hinzufügen"
    ),
    "To Seed": "Bis Startwert",
    "The working space is {}": "Der Arbeitsfarbraum ist {}",
    "Towards the face and back": "Zum Gesicht und zurück",
    "Transparent": "Transparent",
    "Transparent Background": "Transparenter Hintergrund",
    "True Colours": "Echte Farben",
    "True colours need Linear Rec.709:": "Echte Farben brauchen Linear Rec.709:",
    "Turn every card of the scene to the camera, draw its picture anew and pack it into the file;"
    " cards that are not live as well": (
        "Jede Karte der Szene zur Kamera drehen, ihr Bild neu zeichnen und in die Datei packen; "
        "auch Karten, die nicht laufend sind"
    ),
    "Turn to the scene's camera and draw the picture anew whenever the camera, the portrait or "
    "the frame changes. Off: the card stays as it is until you update it": (
        "Sich zur Kamera der Szene drehen und das Bild neu zeichnen, wann immer sich Kamera, "
        "Porträt oder Einzelbild ändern. Aus: die Karte bleibt, bis sie aktualisiert wird"
    ),
    "Turntable": "Drehtisch",
    "Update Cards": "Karten aktualisieren",
    "Use": "Benutzen",
    "Use for the Scene": "Für die Szene benutzen",
    "Value": "Wert",
    "Variety": "Vielfalt",
    "Vertex Colours": "Vertexfarben",
    "View": "Ansicht",
    "Visibility": "Sichtbarkeit",
    "Wanted": "Gesucht",
    "What chance keeps to when it draws": "Woran sich der Zufall beim Ziehen hält",
    "What is wished for": "Was gewünscht ist",
    "What it should be, as in the list of attributes. Empty: anything": (
        "Wie es sein soll, wie in der Liste der Merkmale. Leer: gleich wie"
    ),
    "Wish": "Wunsch",
    "Wishes": "Wünsche",
    "What becomes an object": "Was zu einem Objekt wird",
    "What changes": "Was sich ändert",
    "What changes about one part": "Was sich an einem Teil ändert",
    "What computes the pictures": "Was die Bilder berechnet",
    "What is fastest on this device without a visible difference": (
        "Was auf diesem Gerät am schnellsten ist, ohne sichtbaren Unterschied"
    ),
    "What kind of file": "Welche Art von Datei",
    "What this machine has is told once PyTorch is loaded": (
        "Was dieser Rechner hat, steht hier, sobald PyTorch geladen ist"
    ),
    "What to do when a camera stands where the model was not trained": (
        "Was geschieht, wenn eine Kamera dort steht, wo das Modell nicht trainiert wurde"
    ),
    "What to take": "Was genommen wird",
    "Where the wheels (.whl) lie": "Wo die Wheels (.whl) liegen",
    "Whether this part is in the picture": "Ob dieser Teil im Bild ist",
    "Which parts": "Welche Teile",
    "Which parts change, and to what. -1 draws it": (
        "Welche Teile sich ändern, und wohin. -1 würfelt es"
    ),
    "Which person this is: every number is another one": (
        "Welche Person das ist: jede Zahl ist eine andere"
    ),
    "Which person this is: every number is another one. -1: the first that no portrait of the "
    "scene has": (
        "Welche Person das ist: jede Zahl ist eine andere. -1: die erste, die kein Porträt der "
        "Szene hat"
    ),
    "Whole Portrait": "Ganzes Porträt",
    "Whose picture the card shows": "Wessen Bild die Karte zeigt",
    "Width": "Breite",
    "Write one soft mask for each part, between 0 and 1; together they sum to 1": (
        "Für jeden Teil eine weiche Maske schreiben, zwischen 0 und 1; zusammen ergeben sie 1"
    ),
    "Write this portrait's seeds and weights to a small file, to import into another scene or "
    "give to somebody else. Animation stays here": (
        "Startwerte und Gewichte dieses Porträts in eine kleine Datei schreiben, um sie in eine "
        "andere Szene zu importieren oder weiterzugeben. Animation bleibt hier"
    ),
    "Write which part is seen at each pixel, as a whole number (background 0)": (
        "Für jedes Pixel als ganze Zahl schreiben, welcher Teil zu sehen ist (Hintergrund 0)"
    ),
    "Zoom out while the camera comes nearer, so that the head keeps its size and only the "
    "perspective changes": (
        "Die Brennweite verkürzen, während die Kamera näher kommt, so dass der Kopf seine Größe "
        "behält und nur die Perspektive sich ändert"
    ),
    "bfloat16 in hardware": "bfloat16 in Hardware",
    "bundled with an extension": "mit einer Erweiterung gebündelt",
    "downloading {}": "lädt {} herunter",
    "draws portraits only: 1 other object is left out": (
        "zeichnet nur Porträts: 1 anderes Objekt fehlt"
    ),
    "draws portraits only: {} others are left out": "zeichnet nur Porträts: {} andere fehlen",
    "embedded model": "mitgeliefertes Modell",
    "found in Blender's Python": "in Blenders Python gefunden",
    "installed by this extension": "von dieser Erweiterung installiert",
    "loading the model": "lädt das Modell",
    "loading the model …": "lädt das Modell …",
    "looking for {}": "sucht {}",
    "no bfloat16 in hardware": "kein bfloat16 in Hardware",
    "no portrait is to be seen here (Add > Portrait)": (
        "hier ist kein Porträt zu sehen (Hinzufügen > Porträt)"
    ),
    "not told": "nicht angegeben",
    "reading {}": "liest {}",
    "shows the nearest view: {}": "zeigt die nächste Ansicht: {}",
    "starting pip": "startet pip",
    "trying it out": "probiert es aus",
    "unpacking": "packt aus",
    "{0}: {1} ms a picture": "{0}: {1} ms pro Bild",
    "{} is set and counts instead": "{} ist gesetzt und gilt stattdessen",
    "{} of {}": "{} von {}",
} | _OTHERS

CONTEXTS = ("*", "Operator")
"""Where Blender looks: labels of operators have a context of their own."""


def attach() -> None:
    """Hand the translations to Blender."""
    table = {(context, text): german for text, german in GERMAN.items() for context in CONTEXTS}
    bpy.app.translations.register(PACKAGE, {"de_DE": table})


def detach() -> None:
    """Undo :func:`attach`."""
    bpy.app.translations.unregister(PACKAGE)
