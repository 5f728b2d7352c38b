"""`InstalledDnsmasq`: another program at the same place is asked for its version, and told of when that is safe."""

from __future__ import annotations

from pathlib import Path

from dhcpcore import AdapterError, DnsmasqCapabilities
from dhcpcore.testing import RecordingReporter
from dhcpcore_adapters.agent.versions import InstalledDnsmasq

OLD = DnsmasqCapabilities(version=(2, 90))
NEW = DnsmasqCapabilities(version=(2, 92))


class Rig:
    def __init__(self, folder: Path, known: DnsmasqCapabilities) -> None:
        self.program = folder / "dnsmasq"
        self.program.write_text("first")
        self.installed: DnsmasqCapabilities | None = known
        self.asked = 0
        self.told: list[DnsmasqCapabilities] = []
        self.reporter = RecordingReporter()
        self.watch = InstalledDnsmasq(
            known, find=lambda: str(self.program), probe=self.probe, tell=self.told.append, reporter=self.reporter
        )

    def probe(self) -> DnsmasqCapabilities:
        self.asked += 1
        if self.installed is None:
            raise AdapterError("it does not run")
        return self.installed

    def install(self, what: DnsmasqCapabilities | None) -> None:
        self.installed = what
        self.program.unlink()
        self.program.write_text(f"program {self.asked} of {what}")

    def look(self) -> None:
        self.watch.host_observed()
        if self.watch._asking is not None:
            self.watch._asking.join(10)


def test_the_same_file_is_not_asked_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, OLD)
    rig.look()
    rig.look()
    assert (rig.asked, rig.told) == (0, [])


def test_an_older_one_is_told_of_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, NEW)
    rig.install(OLD)
    rig.look()
    rig.look()
    assert (rig.asked, rig.told) == (1, [OLD])


def test_one_that_may_be_reloaded_is_told_of_when_it_is_known_who_still_runs_the_old_one(tmp_path: Path) -> None:
    """Law: a look at the host that began after the upgrade comes before the news."""
    rig = Rig(tmp_path, OLD)
    rig.install(NEW)
    rig.look()
    assert rig.told == []
    rig.look()
    assert rig.told == [NEW]
    rig.look()
    assert (rig.asked, rig.told) == (1, [NEW])


def test_one_that_does_not_run_is_reported_and_asked_again(tmp_path: Path) -> None:
    rig = Rig(tmp_path, OLD)
    rig.install(None)
    rig.look()
    rig.look()
    assert (rig.asked, rig.told) == (2, [])
    rig.program.unlink()
    rig.look()
    assert rig.asked == 2
    rig.program.write_text("back")
    rig.installed = OLD
    rig.look()
    assert (rig.asked, rig.told) == (3, [])
    assert len(rig.reporter.find("the installed dnsmasq was replaced and cannot be used")) == 2
