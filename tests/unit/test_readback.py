"""What the stock agent and this library write, and what they do not, read back."""

from __future__ import annotations

import pytest

from dhcpcore.model.spec import InstanceKey
from dhcpcore.render.readback import (
    AddnHost,
    HostEntry,
    OptionEntry,
    parse_addn_hosts,
    parse_command_line,
    parse_hosts,
    parse_opts,
    removed_hosts,
)

MAC = "fa:16:3e:46:d9:66"


class TestHosts:
    @pytest.mark.parametrize(
        "line, entry",
        [
            (
                f"{MAC},host-10-9-0-125.openstacklocal,10.9.0.125,set:port-1",
                HostEntry(
                    mac_address=MAC,
                    name="host-10-9-0-125.openstacklocal",
                    addresses=("10.9.0.125",),
                    set_tags=("port-1",),
                ),
            ),
            (f"{MAC},h,10.0.0.2", HostEntry(mac_address=MAC, name="h", addresses=("10.0.0.2",))),
            (
                f"{MAC},tag:dhcpv6,h,[fd00::5],[fd00::6]",
                HostEntry(mac_address=MAC, tags=("dhcpv6",), name="h", addresses=("fd00::5", "fd00::6")),
            ),
            (
                f"{MAC},id:ff:00:01,h,10.0.0.2,set:port-1",
                HostEntry(
                    mac_address=MAC, client_id="ff:00:01", name="h", addresses=("10.0.0.2",), set_tags=("port-1",)
                ),
            ),
            (
                f"{MAC},tag:dhcpv6,id:text,h,[fd00::5]",
                HostEntry(mac_address=MAC, tags=("dhcpv6",), client_id="text", name="h", addresses=("fd00::5",)),
            ),
            (f"{MAC},set:port-1", HostEntry(mac_address=MAC, set_tags=("port-1",))),
            (
                f"{MAC},tag:dhcpv6,set:port-1",
                HostEntry(mac_address=MAC, tags=("dhcpv6",), set_tags=("port-1",)),
            ),
            (
                f" {MAC.upper()} , h ,, 10.0.0.2\r",
                HostEntry(mac_address=MAC.upper(), name="h", addresses=("10.0.0.2",)),
            ),
        ],
    )
    def test_fields_are_told_by_their_form_wherever_they_stand(self, line: str, entry: HostEntry) -> None:
        assert parse_hosts(line + "\n") == (entry,)

    @pytest.mark.parametrize(
        "line",
        [
            "garbage",
            "h,10.0.0.2",
            f"{MAC},{MAC},h,10.0.0.2",
            f"{MAC},h,10.0.0.2,10.0.0.3",
            f"{MAC},h,fd00::5",
            f"{MAC},h,[fd00::5]x",
            f"{MAC},h,[fd00::zz]",
            f"{MAC},h,[fd00::5/64]",
            f"{MAC},h,i",
            f"{MAC},id:a,id:b,h,10.0.0.2",
            f"{MAC},12h,10.0.0.2",
            f"{MAC},infinite,10.0.0.2",
            f"{MAC},ignore",
            f'{MAC},"h",10.0.0.2',
            f"{MAC},h #x,10.0.0.2",
            f"{MAC},h\0,10.0.0.2",
            f"{MAC},{'h' * 1024},10.0.0.2",
            "fa:16:3e:*:*:*,h,10.0.0.2",
        ],
    )
    def test_what_dnsmasq_reads_otherwise_than_it_looks_is_kept_unparsed(self, line: str) -> None:
        assert parse_hosts(f"{MAC},h,10.0.0.9\n{line}\n{MAC},g,10.0.0.8") == (
            HostEntry(mac_address=MAC, name="h", addresses=("10.0.0.9",)),
            HostEntry(unparsed=line),
            HostEntry(mac_address=MAC, name="g", addresses=("10.0.0.8",)),
        )

    def test_comments_and_empty_lines_are_no_entries(self) -> None:
        assert parse_hosts("\n # c\n\t\n#\n") == ()

    def test_only_a_line_feed_ends_a_line(self) -> None:
        assert len(parse_hosts(f"{MAC},h,10.0.0.9\u2028{MAC},g,10.0.0.8")) == 1

    def test_bytes_that_are_no_utf8_come_as_surrogates(self) -> None:
        assert parse_hosts(MAC.encode() + b",h\xff,10.0.0.9")[0].name == "h\udcff"

    def test_removed_hosts_are_the_lines_that_went(self) -> None:
        kept, gone = f"{MAC},h,10.0.0.9\n", "fa:16:3e:00:00:02,g,[fd00::7]\n"
        assert removed_hosts(kept + gone, "fa:16:3e:00:00:03,i,10.0.0.7\n" + kept) == parse_hosts(gone)
        assert removed_hosts(kept, kept) == ()


class TestAddnHosts:
    def test_an_address_and_its_names_in_order(self) -> None:
        text = "10.9.0.125\thost-10-9-0-125.openstacklocal host-10-9-0-125\nfd00::5\th\n"
        assert parse_addn_hosts(text) == (
            AddnHost(address="10.9.0.125", names=("host-10-9-0-125.openstacklocal", "host-10-9-0-125")),
            AddnHost(address="fd00::5", names=("h",)),
        )

    def test_a_comment_begins_anywhere(self) -> None:
        assert parse_addn_hosts("10.0.0.2 a#b c\n#x\n") == (AddnHost(address="10.0.0.2", names=("a",)),)

    @pytest.mark.parametrize("line", ["10.0.0.300 a", "a 10.0.0.2", "10.0.0.2 a\0b", "10.0.0.2 " + "a" * 1025])
    def test_a_line_that_dnsmasq_does_not_take_as_it_stands_is_kept_unparsed(self, line: str) -> None:
        assert parse_addn_hosts(line) == (AddnHost(unparsed=line),)


class TestOpts:
    @pytest.mark.parametrize(
        "line, entry",
        [
            (
                "tag:subnet-1,option:dns-server,10.0.0.2,10.0.0.3",
                OptionEntry(tags=("subnet-1",), ip_version=4, name="dns-server", number=6, value="10.0.0.2,10.0.0.3"),
            ),
            ("tag:s,option:router", OptionEntry(tags=("s",), ip_version=4, name="router", number=3)),
            ("tag:s,option:router,", OptionEntry(tags=("s",), ip_version=4, name="router", number=3, value="")),
            (
                "tag:s,249,10.99.0.0/16,10.9.0.254",
                OptionEntry(tags=("s",), ip_version=4, number=249, value="10.99.0.0/16,10.9.0.254"),
            ),
            ("tag:s,option6:23,[fd00::2]", OptionEntry(tags=("s",), ip_version=6, number=23, value="[fd00::2]")),
            (
                "tag:s,option6:DNS-Server,[fd00::2]",
                OptionEntry(tags=("s",), ip_version=6, name="DNS-Server", number=23, value="[fd00::2]"),
            ),
            (
                "tag:port-1,tag:!ipxe,option:bootfile-name,a, b#c ",
                OptionEntry(tags=("port-1", "!ipxe"), ip_version=4, name="bootfile-name", number=67, value="a, b#c "),
            ),
            (
                "port-1,vendor:PXEClient,6,x",
                OptionEntry(tags=("port-1",), ip_version=4, number=6, value="x", encapsulation=("vendor:PXEClient",)),
            ),
            ("tag:s,option6:,x", OptionEntry(tags=("s",), ip_version=6, name="", number=0, value="x")),
            ("99999999999,x", OptionEntry(ip_version=4, number=99999999999, value="x")),
            ("tag:s,option:no-such,x", OptionEntry(tags=("s",), ip_version=4, name="no-such", value="x")),
            ("tag:s,rest", OptionEntry(unparsed="tag:s,rest")),
            ("tag:s,,3,x", OptionEntry(unparsed="tag:s,,3,x")),
        ],
    )
    def test_tags_option_and_value(self, line: str, entry: OptionEntry) -> None:
        assert parse_opts(line) == (entry,)

    def test_values_of_a_list(self) -> None:
        (entry,) = parse_opts("tag:s,option:dns-server,10.0.0.2,10.0.0.3\n#c\n")
        assert entry.values == ("10.0.0.2", "10.0.0.3")
        assert parse_opts("3")[0].values == ()


CONFS = "/var/lib/neutron/dhcp"


def stock_argv(directory: str) -> tuple[str, ...]:
    return (
        "dnsmasq",
        "--no-hosts",
        "",
        f"--pid-file={directory}/pid",
        f"--dhcp-hostsfile={directory}/host",
        f"--addn-hosts={directory}/addn_hosts",
        f"--dhcp-optsfile={directory}/opts",
        f"--dhcp-leasefile={directory}/leases",
        "--dhcp-match=set:ipxe,175",
        "--bridge-interface=tap1,tap*",
        "--dhcp-range=set:subnet-1,10.9.0.0,static,255.255.255.0,86400s",
        "--dhcp-range=set:subnet-2,fd00::,static,64,86400s",
        "--dhcp-lease-max=256",
        "--conf-file=/dev/null",
        "--server=10.0.0.1",
        "--server=10.0.0.2",
        "--domain=openstacklocal",
    )


class TestCommandLine:
    def test_options_by_name_repeated_ones_in_order(self) -> None:
        line = parse_command_line(stock_argv(f"{CONFS}/net-1"))
        assert line.program == "dnsmasq"
        assert line.has("no-hosts")
        assert not line.has("no-resolv")
        assert line.values("server") == ("10.0.0.1", "10.0.0.2")
        assert line.ranges == (
            "set:subnet-1,10.9.0.0,static,255.255.255.0,86400s",
            "set:subnet-2,fd00::,static,64,86400s",
        )
        assert line.lease_max == 256
        assert line.interface == "tap1"
        assert line.pid_file == f"{CONFS}/net-1/pid"
        assert line.hostsfile == f"{CONFS}/net-1/host"
        assert line.value("domain") == "openstacklocal"
        assert line.value("no-hosts") is None
        assert line.arguments == ()

    def test_proc_has_a_nul_after_each_argument(self) -> None:
        argv = stock_argv(f"{CONFS}/net-1")
        assert parse_command_line("\0".join(argv).encode() + b"\0") == parse_command_line(argv)

    @pytest.mark.parametrize(
        "directory, key",
        [
            (f"{CONFS}/net-1", InstanceKey(network_id="net-1")),
            (f"{CONFS}/1001/net-1", InstanceKey(network_id="net-1", segmentation="1001")),
            (f"{CONFS}/None/net-1", InstanceKey(network_id="net-1", segmentation="None")),
            (CONFS, None),
            (f"{CONFS}/a/b/c", None),
            (f"{CONFS}/../net-1", None),
            (f"{CONFS}//net-1", None),
            (f"{CONFS}/a b", None),
            (f"{CONFS}/a b/net-1", None),
            (f"{CONFS}/a\n/net-1", None),
            (f"{CONFS}/a:b/net-1", None),
            (f"{CONFS}/{'x' * 201}/net-1", None),
            (f"{CONFS}-other/net-1", None),
            ("/var/lib/libvirt/dnsmasq", None),
        ],
    )
    def test_the_directory_tells_the_instance(self, directory: str, key: InstanceKey | None) -> None:
        line = parse_command_line(stock_argv(directory))
        assert line.directory == directory
        assert line.instance_key(CONFS) == key
        assert line.instance_key(CONFS + "/") == key

    @pytest.mark.parametrize(
        "argv",
        [
            (),
            ("dnsmasq",),
            ("dnsmasq", f"--pid-file={CONFS}/net-1/pid"),
            ("dnsmasq", f"--dhcp-hostsfile={CONFS}/net-1/host", f"--pid-file={CONFS}/net-2/pid"),
            ("dnsmasq", f"--dhcp-hostsfile={CONFS}/net-1/hosts"),
            ("dnsmasq", "--dhcp-hostsfile=host"),
            ("dnsmasq", "--dhcp-hostsfile"),
        ],
    )
    def test_files_that_share_no_directory_tell_none(self, argv: tuple[str, ...]) -> None:
        line = parse_command_line(argv)
        assert line.directory is None
        assert line.instance_key(CONFS) is None

    def test_garbage_has_nothing_to_tell(self) -> None:
        line = parse_command_line(["haproxy", "-f", "/x.conf", "--", "-", "---", "--dhcp-lease-max=\u0664"])
        assert line.program == "haproxy"
        assert line.options == (("f", None), ("dhcp-lease-max", "\u0664"))
        assert line.arguments == ("/x.conf", "--", "-", "---")
        assert line.lease_max is None
        assert line.interface is None
