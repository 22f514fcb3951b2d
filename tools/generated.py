"""Every generated file in one list: written again, or compared with what is in the checkout (``--check``)."""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec

# Each runs as ``python -m MODULE`` to write its files, with ``--check`` to compare them: exit code 1 when out of step.
GENERATORS = (
    "schemas.publish",
    "routing.publish",
    "relais.documents.asyncapi",
    "relais.documents.openapi",
    "relais.documents.events",
    "relais.documents.metrics",
    "relais.documents.settings",
    "relais.documents.env_example",
)


def faults_of(arguments: Sequence[str], generators: Sequence[str] = GENERATORS) -> list[str]:
    """Run every generator, also after one failed; the answer says which failed and how. A missing one is a fault."""
    faults = []
    for module in generators:
        if not _exists(module):
            faults.append(f"{module}: there is no such generator")
            continue
        code = subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
        if code != 0:
            faults.append(f"{module}: exit code {code}")
    return faults


def main() -> None:
    """Write with no argument, compare with ``--check``; the exit code is 1 when anything failed."""
    faults = faults_of(sys.argv[1:])
    for fault in faults:
        sys.stderr.write(f"generated: {fault}\n")
    sys.exit(1 if faults else 0)


def _exists(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package around it is missing
        return False


if __name__ == "__main__":
    main()
