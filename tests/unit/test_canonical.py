"""What counts as the same to dnsmasq, and what does not."""

from __future__ import annotations

import pytest
from attrs import frozen

from dhcpcore.model.network import Network, Subnet
from dhcpcore.model.spec import InstanceKey, InstanceView
from dhcpcore.plan.canonical import (
    differing_files,
    own_dns_tags,
    same_addn_hosts,
    same_argv,
    same_hosts,
    same_opts,
)

A, B = "fa:16:3e:00:00:01,a,10.0.0.1\n", "fa:16:3e:00:00:02,b,10.0.0.2\n"
A_SET = "fa:16:3e:00:00:01,set:port-1\n"


class TestHosts:
    @pytest.mark.parametrize("one, other", [(A + B, B + A), (A + "\n" + B, A + B), (A + B, (A + B).rstrip("\n"))])
    def test_same(self, one: str, other: str) -> None:
        assert same_hosts(one, other)

    @pytest.mark.parametrize(
        "one, other",
        [
            (A, B),
            (A, A + B),
            (A + A + B, A + B + B),
            (A_SET + A, A + A_SET),  # dnsmasq takes the last line of a MAC address
            (A_SET + B + A, A + B + A_SET),
            (A_SET.upper() + B + A, A + B + A_SET.upper()),
            (A, ""),
        ],
    )
    def test_different(self, one: str, other: str) -> None:
        assert not same_hosts(one, other)

    def test_the_order_of_ports_that_share_a_client_id_means_nothing(self) -> None:
        one, other = "fa:16:3e:00:00:01,id:x,a,10.0.0.1\n", "fa:16:3e:00:00:02,id:x,b,10.0.0.2\n"
        assert same_hosts(one + other, other + one)

    def test_patterns_compete_with_each_other(self) -> None:
        one, other = "fa:16:3e:*:*:*,a,10.0.0.1\n", "fa:16:*:*:*:*,b,10.0.0.2\n"
        assert not same_hosts(one + other, other + one)


class TestAddnHosts:
    def test_several_addresses_of_one_name_are_a_set(self) -> None:
        assert same_addn_hosts("10.0.0.1\tvm\n10.0.0.2\tvm\n", "10.0.0.2\tvm\n10.0.0.1\tvm\n")

    def test_the_first_name_of_an_address_answers_reverse_queries(self) -> None:
        assert not same_addn_hosts("10.0.0.1\ta\n10.0.0.1\tb\n", "10.0.0.1\tb\n10.0.0.1\ta\n")
        assert not same_addn_hosts("10.0.0.1\ta b\n", "10.0.0.1\tb a\n")


class TestOpts:
    @pytest.mark.parametrize(
        "one, other",
        [
            ("tag:a,3,1.1.1.1\ntag:b,3,1.1.1.1", "tag:b,3,1.1.1.1\ntag:a,3,1.1.1.1"),
            ("tag:a,3,1.1.1.1\ntag:a,6,1.1.1.1", "tag:a,6,1.1.1.1\ntag:a,3,1.1.1.1"),
            ("tag:a,23,x\ntag:a,option6:23,[::1]", "tag:a,option6:23,[::1]\ntag:a,23,x"),
        ],
    )
    def test_same(self, one: str, other: str) -> None:
        assert same_opts(one, other)

    @pytest.mark.parametrize(
        "first, second",
        [
            ("tag:a,3,1.1.1.1", "tag:a,3,2.2.2.2"),
            ("tag:a,3,1.1.1.1", "tag:a,option:Router,2.2.2.2"),
            ("3,1.1.1.1", "option:router,2.2.2.2"),
            ("tag:a,option6:23,[::1]", "tag:a,option6:dns-server,[::2]"),
            ("tag:a,67,x", "tag:a,tag:ipxe,option:bootfile-name,y"),
            ("tag:a,67,x", "tag:a,067,y"),
            ("tag:a,00067,x", "tag:a,option:bootfile-name,y"),
            ("tag:a,option6:59,x", "tag:a,option6:059,y"),
            ("tag:a,option6:023,[::1]", "tag:a,option6:dns-server,[::2]"),
        ],
    )
    def test_of_one_tag_and_option_the_last_is_taken(self, first: str, second: str) -> None:
        assert not same_opts(f"{first}\n{second}", f"{second}\n{first}")

    def test_our_own_dns_servers_are_a_set_and_listed_ones_are_not(self) -> None:
        one, other = (
            "tag:subnet-1,option:dns-server,10.0.0.2,10.0.0.3",
            "tag:subnet-1,option:dns-server,10.0.0.3,10.0.0.2",
        )
        assert same_opts(one, other, own_dns_tags={"subnet-1"})
        assert not same_opts(one, other, own_dns_tags={"subnet-2"})
        assert not same_opts(one, other)
        assert not same_opts(one, other + ",10.0.0.2", own_dns_tags={"subnet-1"})
        six, swapped = (
            "tag:subnet-6,option6:dns-server,[fd00::2],[fd00::3]",
            "tag:subnet-6,option6:dns-server,[fd00::3],[fd00::2]",
        )
        assert same_opts(six, swapped, own_dns_tags={"subnet-6"})

    @pytest.mark.parametrize("option", ["option:classless-static-route", "249"])
    def test_on_link_routes_in_front_are_a_set(self, option: str) -> None:
        head = f"tag:subnet-1,{option},"
        links, swapped = "10.1.0.0/24,0.0.0.0,10.2.0.0/24,0.0.0.0", "10.2.0.0/24,0.0.0.0,10.1.0.0/24,0.0.0.0"
        rest = ",10.9.0.0/16,10.0.0.9,0.0.0.0/0,10.0.0.1"
        assert same_opts(head + links, head + swapped)
        assert same_opts(head + links + rest, head + swapped + rest)
        assert not same_opts(head + links + rest, head + swapped + ",0.0.0.0/0,10.0.0.1,10.9.0.0/16,10.0.0.9")
        assert not same_opts(head + "10.1.0.0/24,0.0.0.0" + rest, head + rest.lstrip(",") + ",10.1.0.0/24,0.0.0.0")
        assert not same_opts(f"tag:port-1,{option},{links}", f"tag:port-1,{option},{swapped}")

    def test_the_tags_of_subnets_without_dns_servers(self) -> None:
        subnets = (
            Subnet(id="own", network_id="n", cidr="10.0.0.0/24", ip_version=4),
            Subnet(id="listed", network_id="n", cidr="10.1.0.0/24", ip_version=4, dns_nameservers=("10.0.0.9",)),
        )
        view = InstanceView(key=InstanceKey(network_id="n"), network=Network(id="n"), subnets=subnets)
        assert own_dns_tags(view) == {"subnet-own"}


class TestArgv:
    def test_a_multiset_without_the_empty_ones(self) -> None:
        assert same_argv(("dnsmasq", "", "--a", "--b=1", "--b=2"), ("/usr/sbin/dnsmasq", "--b=2", "--a", "--b=1"))
        assert not same_argv(("dnsmasq", "--a", "--a"), ("dnsmasq", "--a"))
        assert not same_argv(("dnsmasq", "--a"), ("dnsmasq", "--b"))
        assert not same_argv(("dnsmasq",), ("haproxy",))
        assert same_argv((), ("",))


@frozen(kw_only=True)
class Texts:
    host: str | None = ""
    addn_hosts: str | None = ""
    opts: str | None = ""
    view: InstanceView | None = None


class TestDifferingFiles:
    def test_only_what_differs_in_meaning(self) -> None:
        assert differing_files(Texts(host=A + B, opts="3,x"), Texts(host=B + A, opts="3,y")) == ("opts",)
        assert differing_files(Texts(host=A), Texts(host=A)) == ()

    def test_what_is_not_there_differs_from_what_is_empty(self) -> None:
        assert differing_files(Texts(host=None, addn_hosts=None, opts=None), Texts()) == ("host", "addn_hosts", "opts")

    def test_the_view_tells_whose_dns_servers_they_are(self) -> None:
        subnet = Subnet(id="1", network_id="n", cidr="10.0.0.0/24", ip_version=4)
        view = InstanceView(key=InstanceKey(network_id="n"), network=Network(id="n"), subnets=(subnet,))
        one = Texts(opts="tag:subnet-1,option:dns-server,10.0.0.2,10.0.0.3")
        other = Texts(opts="tag:subnet-1,option:dns-server,10.0.0.3,10.0.0.2", view=view)
        assert differing_files(one, other) == ()
        assert differing_files(other, one) == ("opts",)
        assert differing_files(other, one, view) == ()
