"""How `make site` builds the documentation (Sphinx): the pages of this folder, into out/site.

The extensions in _ext/ generate what must match the code: the API reference, the commands' help, the output of
commands, diagrams. Nothing is fetched from the network, neither by the build nor by the pages.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # docs._ext

project = "icws_explore"
author = "the icws_explore authors"
version = release = version_of("icws_explore")

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "docs._ext.api_reference",
    "docs._ext.commands",
    "docs._ext.course",
    "docs._ext.every_byte",
    "docs._ext.site_checks",
    "docs._ext.state_chart",
]
exclude_patterns = ["_ext", "_generated", "images", "make_course"]
nitpicky = True
nitpick_ignore = [
    ("py:class", "Axes"),  # pandas' own, as Dtype, in the signatures that Table inherits
    ("py:class", "Dtype"),
]
needs_sphinx = "9.0"

myst_enable_extensions = ["attrs_block"]
myst_fence_as_directive = ["mermaid"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
add_module_names = False
python_use_unqualified_type_names = True
toc_object_entries_show_parents = "hide"

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 60
nb_execution_excludepatterns = ["course/*"]  # docs/make_course/execute.py has run them

html_theme = "furo"
html_title = f"icws_explore {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["theme.js"]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False
