"""Look into the wheel given as argument: two packages, typed, with every template, and nothing else.

Exits with a message that names what is wrong.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path


def main(wheel: Path) -> str | None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    tops = {name.partition("/")[0] for name in names}
    packages = {top for top in tops if not top.endswith(".dist-info")}
    if packages != {"dhcpcore", "dhcpcore_adapters"}:
        return f"top-level names in the wheel: {sorted(packages)}"
    root = Path(__file__).parent.parent
    for package, home in (("dhcpcore", root), ("dhcpcore_adapters", root / "adapters")):
        wanted = {
            path.relative_to(home).as_posix()
            for path in (home / package).rglob("*")
            if path.suffix in {".py", ".j2"} or path.name == "py.typed"
        }
        if f"{package}/py.typed" not in wanted:
            return f"{package} has no py.typed"
        if missing := sorted(wanted - names):
            return f"not in the wheel: {missing}"
    print(f"{wheel.name}: {len(names)} files, packages {sorted(packages)}")
    return None


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
