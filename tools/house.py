"""Rules that no other tool checks: the layout, what a tracked file may not say, locks that fit the metadata."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOMS = ("connectors/", "routing/", "schemas/", "relais/", "mocks/", "tests/", "docker-compose.yml", "pyproject.toml")

# Written so that no pattern finds itself in this file.
FORBIDDEN = {
    "unfinished work": re.compile(r"\b(?:TO[D]O|FIX[M]E|NotImplemented[E]rror)\b"),
    "path of one machine": re.compile(r"(?<![\w.$}~*-])/(?:work|root|home|Users|tmp)/[\w.]"),
    "address of a package registry": re.compile(
        r"py[p]i\.org|python[h]osted\.org|registry\.npm[j]s|proxy\.go[l]ang|cra[t]es\.io|deb\.deb[i]an\.org|index\.doc[k]er\.io"
    ),
}


def missing_rooms(files: Iterable[str]) -> Iterator[str]:
    """What the layout promises and no tracked file fulfils."""
    names = list(files)
    for room in ROOMS:
        if not any(name == room or (name.startswith(room) and room.endswith("/")) for name in names):
            yield f"{room}: missing, the layout promises it"


def forbidden_words(name: str, text: str) -> Iterator[str]:
    """Each line of a file that says what no tracked file may say, as ``file:line: what``."""
    for number, line in enumerate(text.splitlines(), start=1):
        for what, pattern in FORBIDDEN.items():
            if found := pattern.search(line):
                yield f"{name}:{number}: {what}: {found.group()}"


def locks_out_of_step(metadata: str, locks: Mapping[str, str]) -> Iterator[str]:
    """Direct dependencies of the metadata that a lock lacks, or holds in a version that the metadata does not allow."""
    document = tomllib.loads(metadata)
    groups = document["dependency-groups"]
    dependencies = document["project"]["dependencies"]
    wanted = {
        "requirements.lock": dependencies,
        "requirements-dev.lock": [*dependencies, *_requirements_of("dev", groups)],
        "requirements-build.lock": _requirements_of("build", groups),
    }
    for name, requirements in wanted.items():
        locked = {
            canonicalize_name(p): Version(v) for p, v in re.findall(r"^([\w.\[\]-]+)==([^\s;]+)", locks[name], re.M)
        }
        for requirement in map(Requirement, requirements):
            version = locked.get(canonicalize_name(requirement.name))
            if version is None or not requirement.specifier.contains(version, prereleases=True):
                yield f"{name}: holds {requirement.name} {version}, the metadata asks for {requirement}: run make lock"


def main() -> None:
    """Check the checkout around the working folder; say every fault and end with 1 when there was one."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        check=True,
        capture_output=True,
        text=True,
    )
    names = [name for name in listing.stdout.split("\0") if name and Path(name).is_file()]
    faults = list(missing_rooms(names))
    for name in names:
        try:
            faults += forbidden_words(name, Path(name).read_text())
        except UnicodeDecodeError:
            continue  # a picture says nothing
    locks = {name: Path(name).read_text() for name in names if name.endswith(".lock")}
    faults += locks_out_of_step(Path("pyproject.toml").read_text(), locks)
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    sys.exit(1 if faults else 0)


def _requirements_of(group: str, groups: Mapping[str, list[str | dict[str, str]]]) -> list[str]:
    found: list[str] = []
    for entry in groups[group]:
        found += [entry] if isinstance(entry, str) else _requirements_of(entry["include-group"], groups)
    return found


if __name__ == "__main__":
    main()
