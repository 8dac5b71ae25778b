"""What stands around the package: its checks, the Pythons that it supports, and the links of its pages."""

import ast
import inspect
import re
import shlex
import tomllib
from pathlib import Path

import pytest
import yaml

import autoq
from autoq.cli._main import cli

ROOT = Path(__file__).resolve().parents[1]
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
PAGES = [
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part in {"build", "runs"} for part in page.relative_to(ROOT).parts)
]


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def workflow_jobs() -> dict:
    return yaml.safe_load(WORKFLOW.read_text("utf-8"))["jobs"]


def made_by(script: str) -> set[str]:
    return {line.split("#")[0].strip() for line in re.findall(r"\bmake [^\n|&)]+", script)}


def test_the_workflow_runs_the_parts_of_the_checks_and_nothing_else():
    steps = [step["run"] for job in workflow_jobs().values() for step in job["steps"] if "run" in step]
    assert sorted(steps) == sorted(made_by((ROOT / ".ci" / "run").read_text("utf-8")))
    assert {step.split()[1] for step in steps} <= TARGETS


def test_the_supported_pythons_are_those_that_are_tested():
    classified = [
        line.rpartition(" :: ")[2] for line in project()["classifiers"] if re.search(r"Python :: 3\.\d+$", line)
    ]
    (matrix,) = [job["strategy"]["matrix"]["python"] for job in workflow_jobs().values() if "strategy" in job]
    assert matrix == classified
    assert project()["requires-python"] == f">={classified[0]}"


def test_the_version_is_one_and_has_its_changes_told():
    version = project()["version"]
    assert version == autoq.__version__
    assert f"\n## [{version}] - " in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_commits_are_checked_by_what_make_check_runs():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text("utf-8"))["repos"][0]["hooks"]
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    commands = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    assert [hook["entry"] for hook in hooks] == commands


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_links_to_is_there(page):
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"", text)
    missing = []
    for address in (markdown or picture for markdown, picture in links):
        if re.match(r"[a-z]+:", address):
            continue
        path, _, heading = address.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (heading and heading not in headings(target.read_text("utf-8"))):
            missing.append(address)
    assert missing == []


def blocks(page: Path, language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [text for word, text in fenced if word == language]


def test_what_pages_call_in_python_is_there():
    called = set()
    for page in PAGES:
        for block in blocks(page, "python"):
            for call in ast.walk(ast.parse(block)):
                if isinstance(call, ast.Call) and ast.unparse(call.func).startswith("autoq."):
                    name = call.func.attr
                    called.add(name)
                    keywords = {keyword.arg: None for keyword in call.keywords}
                    inspect.signature(getattr(autoq, name)).bind(*call.args, **keywords)
    assert called >= {"search", "quantize", "benchmark", "sensitivity", "images"}


def test_what_pages_run_on_the_command_line_is_there():
    commands = set()
    for page in PAGES:
        for block in blocks(page, ""):
            for line in re.findall(r"^(?:\$ )?(autoq .*)", block.replace("\\\n", " "), re.MULTILINE):
                name, *arguments = shlex.split(line.split("  #")[0])[1:]
                command = cli.commands[name]
                known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
                assert {argument for argument in arguments if argument.startswith("-")} <= known, line
                commands.add(name)
    assert commands >= {"init", "search", "quantize", "profile", "sensitivity"}


def test_the_architecture_names_every_room_and_files_that_are_there():
    text = (ROOT / "autoq" / "README.md").read_text("utf-8")
    rooms = [init.parent.name for init in (ROOT / "autoq").rglob("*/__init__.py")]
    assert [room for room in rooms if not re.search(rf"\b{room}\b", text)] == []
    files = re.findall(r"`([\w/]+\.(?:py|md))`", text)
    assert len(files) > 10
    assert [file for file in files if not (ROOT / "autoq" / file).exists() and not (ROOT / file).exists()] == []


def test_every_key_of_a_space_is_told_of_with_its_default():
    rows = re.findall(
        r"^\| `(\w+)` \|.*\| (.*) \|$", (ROOT / "search_spaces" / "README.md").read_text("utf-8"), re.MULTILINE
    )
    told, defaults = dict(rows), autoq.SearchSpace().to_dict()
    assert set(told) == set(defaults)
    for key, text in told.items():
        value = defaults[key]
        if text != "none":
            words = value if isinstance(value, list) else [value]
            written = ("null" if w is None else str(w).lower() if w is False else str(w) for w in words)
            assert text.replace("`", "") in {", ".join(written), "both"}, key


def headings(text: str) -> set[str]:
    """Anchors as GitHub makes them of headings."""
    titles = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
