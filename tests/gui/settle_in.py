"""Settings of the Blender that the tour runs in, saved before its window opens."""

import os

import bpy

preferences = bpy.context.preferences
if os.environ.get("SPEAK"):
    preferences.view.language = os.environ["SPEAK"]
preferences.view.show_splash = False
preferences.view.show_developer_ui = False
# No window manager runs, so pictures are shown in the window that is there, not in a new one.
preferences.view.render_display_type = "AREA"
preferences.view.filebrowser_display_type = "SCREEN"
preferences.view.smooth_view = 0
preferences.system.use_online_access = False
preferences.use_preferences_save = False
bpy.ops.wm.save_userpref()
