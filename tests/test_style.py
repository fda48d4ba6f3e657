"""The limits of the house style, checked on the syntax tree of every file."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
FOLDERS = ("src", "experiments", "benchmarks", "tests")
FILE_LINES = 400
FUNCTION_LINES = 60
NESTING = 2  # a function in a function, and no deeper
UNSAFE_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
UNSAFE_CALLS = {"eval", "exec", "yaml.load", "yaml.unsafe_load"}

VAGUE = re.compile(r"^ {4}(\w+): (?:of|by|with|from|in|after|before|as) ", re.MULTILINE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def offences(source: str) -> Iterator[str]:
    """The broken rules of one file, each as `line N: what is wrong`."""
    if (lines := len(source.splitlines())) > FILE_LINES:
        yield f"line {lines}: file of more than {FILE_LINES} lines"
    tree = ast.parse(source)
    yield from _function_offences(tree, depth=0)
    for node in ast.walk(tree):
        for name in _unsafe_names(node):
            yield f"line {node.lineno}: {name} can run code from a file"


def _function_offences(node: ast.AST, depth: int) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        inside = depth + isinstance(child, Function)
        if isinstance(child, Function):
            lines = child.end_lineno - child.lineno + 1
            if lines > FUNCTION_LINES:
                yield f"line {child.lineno}: {child.name} has {lines} lines, more than {FUNCTION_LINES}"
            if inside > NESTING:
                yield f"line {child.lineno}: {child.name} is function number {inside} of a nest"
        yield from _function_offences(child, inside)


def _unsafe_names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
        return [name for name in names if name.split(".")[0] in UNSAFE_MODULES]
    if isinstance(node, ast.ImportFrom):
        return [node.module] if (node.module or "").split(".")[0] in UNSAFE_MODULES else []
    if isinstance(node, ast.Call):
        name = ast.unparse(node.func)
        pickles = [keyword.arg for keyword in node.keywords if keyword.arg == "allow_pickle"]
        return pickles + ([name] if name in UNSAFE_CALLS else [])
    return []


def undocumented(source: str) -> Iterator[str]:
    """The public names at the top level of a module, and the module itself, that have no docstring."""
    tree = ast.parse(source)
    if tree.body and not ast.get_docstring(tree):
        yield "line 1: module without a docstring"
    for node in tree.body:
        public = isinstance(node, (Function, ast.ClassDef)) and not node.name.startswith("_")
        if public and not ast.get_docstring(node):
            yield f"line {node.lineno}: {node.name} without a docstring"


def vague(source: str) -> Iterator[str]:
    """Fields of settings whose documentation, which `--help` shows alone, is no phrase of its own."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef) and node.name.endswith("Config"):
            for name in VAGUE.findall(ast.get_docstring(node) or ""):
                yield f"line {node.lineno}: {node.name}.{name} begins with a preposition"


def _report(folders: tuple[str, ...], rule) -> list[str]:
    """Every offence in the folders, as `path: line N: what is wrong`."""
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    assert len(paths) > 5, f"found no sources under {ROOT}"
    return [f"{path.relative_to(ROOT)}: {offence}" for path in paths for offence in rule(path.read_text())]


def test_files_and_functions_are_short_flat_and_safe():
    found = _report(FOLDERS, offences)
    assert not found, "\n".join(["", *found])


def test_public_functions_and_classes_have_docstrings():
    found = _report(("src",), undocumented)
    assert not found, "\n".join(["", *found])


def test_settings_are_documented_by_noun_phrases():
    found = _report(("src",), vague)
    assert not found, "\n".join(["", *found])


def test_every_rule_can_fail():
    """Each rule reports the smallest file that breaks it, and nothing on the largest that does not."""
    body = "    x = 0\n"
    bad = {
        "x = 0\n" * (FILE_LINES + 1): "file of more than",
        "def f():\n" + body * FUNCTION_LINES: "f has 61 lines",
        "class C:\n def f():\n  def g():\n   def h():\n    pass\n": "h is function number 3",
        "import os, pickle as p\n": "pickle can",
        "from joblib.numpy_pickle import load\n": "joblib.numpy_pickle can",
        "np.load(path, allow_pickle=True)\n": "allow_pickle can",
        "def f():\n    return eval('1')\n": "eval can",
        "yaml.load(text)\n": "yaml.load can",
    }
    for source, message in bad.items():
        found = list(offences(source))
        assert len(found) == 1 and message in found[0], (source, found)
    longest = "def f():\n" + body * (FUNCTION_LINES - 1)
    assert not list(offences(longest + "def g():\n  def h():\n    yaml.safe_load(params.eval)\n"))
    fields = '"""Settings.\n\n    Attributes:\n        rate: {}of Adam.\n    """\n'
    assert len(list(vague(f"class FitConfig:\n    {fields.format('')}"))) == 1
    assert not list(vague(f"class FitConfig:\n    {fields.format('learning rate ')}"))
    assert len(list(undocumented("def f(): pass\nclass C: pass\ndef _g(): pass\n"))) == 3
