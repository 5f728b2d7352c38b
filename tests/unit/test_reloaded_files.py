"""What a reload leaves in the files that it did not write."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from dhcpcore import actions, events
from support.as_served import observed
from support.script import Script, network, port, serving


class Disk:
    """The files of the one instance, written as the recipes write them."""

    def __init__(self, script: Script) -> None:
        self.script = script
        ((_, served),) = script.record().served.items()
        self.texts = {name: getattr(served.spec, name) for name in ("host", "addn_hosts", "opts")}

    def settle(self) -> list[actions.Action]:
        """Carry out what is planned."""
        done: list[actions.Action] = []
        while plan := self.script.start():
            for action in plan:
                if isinstance(action, actions.ReloadInstance) and action.sighup:
                    self.texts |= {name: getattr(action.spec, name) for name in action.changed_files}
                self.script.succeed(action)
                done.append(action)
        return done

    def audit(self) -> Sequence[actions.Action]:
        """What an audit finds to do."""
        found = observed(self.script)
        self.script.observed = evolve(found, instances=tuple(evolve(each, **self.texts) for each in found.instances))
        self.script.now = self.script.state.observation.due
        done = self.settle()
        return [each for each in done if not isinstance(each, actions.ObserveHost | actions.ReportState)]


def test_an_audit_after_any_reload_finds_what_is_remembered() -> None:
    """Law: a file that is the same but for the order of its lines is not written, and is nobody's edit."""
    script = serving(network(ports=(port(1),)), reload_method="sighup")
    disk = Disk(script)
    for number in (3, 2):
        script.now += 10
        script.tell(events.PortCreated(port=port(number)))
        disk.settle()
    of = script.server["net"]
    (subnet,) = of.subnets
    changed = evolve(subnet, dns_nameservers=("9.9.9.9",))
    own = [each for each in of.ports if each.id.endswith("-dhcp")]
    script.change(ports=(port(1), port(2), port(3), *own), subnets=(changed,))
    script.now += 10
    script.tell(events.SubnetUpdated(subnet=changed))
    (reload,) = [each for each in disk.settle() if isinstance(each, actions.ReloadInstance)]
    assert reload.changed_files == ("opts",)
    assert disk.audit() == []
