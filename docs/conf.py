"""Sphinx configuration.

Build with ``python -m sphinx -W -b html docs docs/_build/html``. The build needs no network; with
``-t online`` it links to the documentation of NumPy, scikit-learn and others.
"""

import re
from pathlib import Path

import sklearn_nn

project = "sklearn_nn"
author = "The sklearn_nn developers"
copyright = "2026, The sklearn_nn developers"
version = release = sklearn_nn.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "myst_parser",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_gallery.gen_gallery",
]
if tags.has("online"):
    extensions.append("sphinx.ext.intersphinx")
    intersphinx_mapping = {
        "python": ("https://docs.python.org/3", None),
        "numpy": ("https://numpy.org/doc/stable", None),
        "scipy": ("https://docs.scipy.org/doc/scipy", None),
        "sklearn": ("https://scikit-learn.org/stable", None),
        "pandas": ("https://pandas.pydata.org/docs", None),
        "matplotlib": ("https://matplotlib.org/stable", None),
    }

templates_path = ["_templates"]
exclude_patterns = ["_build"]
default_role = "literal"
add_module_names = False

autodoc_typehints = "none"
autosummary_generate = True
# Members are listed by _templates/autosummary/class.rst.
numpydoc_show_class_members = False

copybutton_exclude = ".linenos, .gp, .go"

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "auto_examples",
    # Examples that need nothing but the package are run; the rest are shown.
    "filename_pattern": r"/plot_",
    # The page of the gallery, by topic, is written by hand.
    "copyfile_regex": r"index\.rst",
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_signature": False,
    "remove_config_comments": True,
    # Names in the examples' code lead to their page in the API.
    "doc_module": ("sklearn_nn",),
    "reference_url": {"sklearn_nn": None},
    "backreferences_dir": "generated/backreferences",
    "thumbnail_size": (480, 320),
    # Figures for screens with many pixels, too.
    "image_srcset": ["2x"],
    "min_reported_time": 1,
}


def api_sections():
    """Return the pages of classes and functions by section of the API page."""
    sections, module = {}, ""
    lines = (Path(__file__).parent / "api.rst").read_text(encoding="utf-8").splitlines()
    for line, after in zip(lines, [*lines[1:], ""], strict=True):
        if after.startswith("---"):
            pages = sections.setdefault(line, {})
        elif match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif match := re.fullmatch(r" {3}([A-Za-z]\w*)", line):
            pages[match[1]] = f"generated/{module}.{match[1]}"
    return {title: pages for title, pages in sections.items() if pages}


html_theme = "pydata_sphinx_theme"
html_title = f"sklearn_nn {release}"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "show_prev_next": False,
    "header_links_before_dropdown": 6,
    "secondary_sidebar_items": ["page-toc"],
    "navigation_with_keys": False,
}
html_context = {"api_sections": api_sections()}
_ALONE = ("index", "quickstart", "performance", "search", "genindex", "py-modindex", "sg_*")
_IN_SECTIONS = (
    "guide*", "auto_examples/*", "internals", "architecture", "glossary", "reliability", "extending"
)  # fmt: skip
# Pages without siblings have no navigation on the left.
html_sidebars = {
    **{page: [] for page in _ALONE},
    **{page: ["sidebar-nav-bs"] for page in _IN_SECTIONS},
    **{page: ["sidebar-api"] for page in ("api", "generated/*")},
}
