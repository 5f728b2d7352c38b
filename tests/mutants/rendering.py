"""Mutants of rendering, and of what is rendered."""

from __future__ import annotations

from typing import Final

from mutants.mutant import Mutant, edit

_ARGV: Final = "render/argv.py"
_HOSTS: Final = "render/hosts.py"
_OPTIONS: Final = "render/options.py"
_METADATA: Final = "render/metadata.py"
_STALE: Final = "render/readback/stale.py"
_UNIT: Final = "tests/unit"

RENDERING: Final = (
    # -- options: what is announced
    Mutant(
        name="default-route-not-repeated",
        bugs=("1317935",),
        museum=("OPT",),
        brings_back="classless routes without the default route: clients that read option 121 ignore option 3",
        edits=edit(
            _OPTIONS,
            """        if routes and gateway:
            routes.append(f"{_DEFAULT_ROUTE},{gateway}")
""",
            "",
        ),
        killer=f"{_UNIT}/test_render_options.py::test_classless_routes_repeat_the_default_route_and_are_said_twice",
    ),
    Mutant(
        name="on-link-routes-last",
        bugs=(),
        museum=("OPT",),
        brings_back="on-link routes come after the routes that need them, against RFC 3442's order of use",
        edits=edit(_OPTIONS, "routes = on_link + routes", "routes = routes + on_link"),
        killer=f"{_UNIT}/test_render_options.py::test_neighbours_on_the_link_come_first",
    ),
    Mutant(
        name="any-address-of-one-family-only",
        bugs=("1950686", "1311040"),
        museum=("OPT",),
        brings_back="'announce no DNS server' is understood as 0.0.0.0 and not as ::",
        edits=edit(
            _OPTIONS,
            """    if subnet.ip_version == 4:
        return server == "0.0.0.0"
    return ":" in server and not int(IPv6Address(server))
""",
            """    return server == "0.0.0.0"
""",
        ),
        killer=f"{_UNIT}/test_render_options.py::test_dns_servers_and_the_any_address_that_means_none",
    ),
    Mutant(
        name="forward-and-reverse-names-disagree",
        bugs=("1774710", "1826419"),
        museum=("OPT",),
        brings_back="the reservation has the server's name for an address, addn_hosts the generated one",
        edits=edit(
            _HOSTS,
            "name = address_name(assigned, address, rules, reserved=address in named_in_reservation)",
            "name = address_name({}, address, rules, reserved=address in named_in_reservation)",
        ),
        killer=f"{_UNIT}/test_render_hosts.py::test_the_servers_names_are_used_address_by_address",
    ),
    Mutant(
        name="own-dns-servers-shadow-the-tenants",
        bugs=("1540960",),
        museum=("OPT",),
        brings_back="where several agents serve, their addresses override the DNS servers that the subnet names",
        edits=edit(_OPTIONS, "if subnet.enable_dhcp and not subnet.dns_nameservers\n", "if subnet.enable_dhcp\n"),
        killer=f"{_UNIT}/test_render_options.py::test_clients_are_told_of_all_dns_servers_where_several_agents_serve",
    ),
    Mutant(
        name="no-routes-to-neighbours-without-dhcp",
        bugs=("1652654",),
        museum=("CACHE",),
        brings_back="subnets without DHCP are forgotten, and with them the routes of their neighbours",
        edits=edit(
            _OPTIONS,
            "[subnet for subnet in view.all_subnets if subnet.ip_version == 4]",
            "[subnet for subnet in view.all_subnets if subnet.ip_version == 4 and subnet.enable_dhcp]",
        ),
        killer=f"{_UNIT}/test_museum_state.py::TestSync::test_neighbours_without_dhcp_are_on_the_link_too",
    ),
    # -- IPv6
    Mutant(
        name="ranges-for-short-prefixes",
        bugs=("1645616",),
        museum=("IPV6",),
        brings_back="a range for an IPv6 prefix shorter than 64 bits: dnsmasq does not start",
        edits=edit(
            _ARGV,
            """    # dnsmasq: "prefix length must be at least 64" (Launchpad 1645616).
    if subnet.range.prefixlen < 64:
        return False
""",
            "",
        ),
        killer=f"{_UNIT}/test_render_argv.py::test_ipv6_prefixes_shorter_than_64_have_no_range",
    ),
    Mutant(
        name="ranges-without-prefix-length",
        bugs=("1372883",),
        museum=("IPV6",),
        brings_back="IPv6 ranges without a prefix length: dnsmasq does not start where it is not 64",
        edits=edit(
            _ARGV,
            """else served.prefixlen
    return f"--dhcp-range=set:{subnet_tag(subnet.id)},{address_text(served.network_address)},static,{size},{lease}"
""",
            """else ""
    size = f"{size}," if size else ""
    return f"--dhcp-range=set:{subnet_tag(subnet.id)},{address_text(served.network_address)},static,{size}{lease}"
""",
        ),
        killer=f"{_UNIT}/test_render_argv.py::test_which_ipv6_modes_have_a_range",
    ),
    Mutant(
        name="slaac-addresses-are-reserved",
        bugs=("1316190",),
        museum=("IPV6",),
        brings_back="addresses that clients make themselves stand in the host file",
        edits=edit(
            "render/rules.py", "reserved=subnet.id in served and not by_client,", "reserved=subnet.id in served,"
        ),
        killer=f"{_UNIT}/test_render_hosts.py::test_a_slaac_address_is_named_and_never_reserved",
    ),
    Mutant(
        name="first-ipv6-address-only",
        bugs=("1861032",),
        museum=("IPV6",),
        brings_back="of several IPv6 addresses of a port one is reserved: a network boot fails at its second DUID",
        edits=edit(
            _HOSTS,
            "lists.setdefault(fixed_ip.subnet_id, _Group([], rule)).addresses.append(fixed_ip.ip_address)",
            "lists.setdefault(fixed_ip.subnet_id, _Group([fixed_ip.ip_address], rule))",
        ),
        killer=f"{_UNIT}/test_render_hosts.py::test_addresses_of_a_stateful_subnet_share_a_line_where_asked_for",
    ),
    # -- files and the command line
    Mutant(
        name="tags-by-position",
        bugs=("1848738", "1581918"),
        museum=("RENDER",),
        brings_back="the command line numbers its tags, the options file does not: after a change they disagree",
        edits=edit(
            _ARGV,
            '(_dhcp_range(subnet, settings), f"subnet {subnet.id}") for subnet in ranged]',
            '(_dhcp_range(subnet, settings).replace(subnet_tag(subnet.id), f"tag{number}"), f"subnet {subnet.id}")\n'
            "                for number, subnet in enumerate(ranged)]",
        ),
        killer=f"{_UNIT}/test_render_argv.py::test_the_whole_line",
    ),
    Mutant(
        name="no-family-tag",
        bugs=("1876094",),
        museum=("RENDER",),
        brings_back="in dual stack dnsmasq 2.81 and later answers DHCPv4 from the IPv6 line",
        edits=edit(_HOSTS, 'return "tag:dhcpv6," if rule.ipv6 and rules.host_tags else ""', 'return ""'),
        killer=f"{_UNIT}/test_render_hosts.py::test_ipv6_lines_are_tagged_where_dnsmasq_knows_tags",
    ),
    Mutant(
        name="syntax-that-an-old-dnsmasq-refuses",
        bugs=("1644312",),
        museum=("RENDER",),
        brings_back="what the installed dnsmasq can read is not asked: an older one refuses every IPv6 line",
        edits=edit(_HOSTS, "if rule.ipv6 and rules.host_tags else", "if rule.ipv6 else"),
        killer=f"{_UNIT}/test_render_hosts.py::test_ipv6_lines_are_tagged_where_dnsmasq_knows_tags",
    ),
    Mutant(
        name="stateless-line-hides-the-ipv4-line",
        bugs=("1466144",),
        museum=("RENDER",),
        brings_back="dnsmasq reads lines last first, meets the one without an address, and the client gets none",
        edits=edit(
            _HOSTS,
            "return sorted(port.fixed_ips, key=lambda fixed_ip: not rules.rule(fixed_ip.subnet_id).stateless)",
            "return port.fixed_ips",
        ),
        killer=f"{_UNIT}/test_render_hosts.py::test_a_stateless_address_gets_a_line_for_its_options_only_and_first",
    ),
    Mutant(
        name="the-hosts-own-configuration",
        bugs=("1896945",),
        museum=("RENDER",),
        brings_back="where no configuration file is configured dnsmasq reads /etc/dnsmasq.conf",
        edits=edit(
            _ARGV,
            '    arguments.append(f"--conf-file={settings.dnsmasq_config_path}")\n',
            "    if settings.dnsmasq_config_file:\n"
            '        arguments.append(f"--conf-file={settings.dnsmasq_config_path}")\n',
        ),
        killer=f"{_UNIT}/test_render_argv.py::test_the_whole_line",
    ),
    Mutant(
        name="names-with-a-dot-at-their-end",
        bugs=("1326256",),
        museum=("RENDER",),
        brings_back="without a domain every name ends with a dot",
        edits=edit(
            "render/rules.py",
            'suffix = f".{self.dns_domain}" if self.dns_domain else ""',
            'suffix = f".{self.dns_domain}"',
        ),
        killer=f"{_UNIT}/test_render_hosts.py::test_without_a_domain_names_have_no_dot",
    ),
    # -- injection and exposure
    Mutant(
        name="option-names-with-values-in-them",
        bugs=("1943930",),
        museum=("INJECT",),
        brings_back="an option's name is thought harmless as long as it has no line break: commas add fields",
        edits=edit(
            _OPTIONS,
            'if "," in name or (tags and not all(tag.startswith("tag:") for tag in tags.split(","))):',
            'if "\\n" in name:',
        ),
        killer=f"{_UNIT}/test_render_differences.py"
        "::test_what_is_written_instead_and_the_warning[name with a value in it]",
    ),
    Mutant(
        name="client-ids-as-they-came",
        bugs=(),
        museum=("L7", "INJECT"),
        brings_back="a client id with a comma reserves an address, or sets a tag, of its own choice",
        edits=edit(_HOSTS, "problem = client_id_problem(client_id)", "problem = None"),
        killer=f"{_UNIT}/test_render_differences.py"
        "::test_what_is_written_instead_and_the_warning[client id with a field of its own]",
    ),
    Mutant(
        name="an-open-resolver",
        bugs=("1501206",),
        museum=("INJECT",),
        brings_back="dnsmasq answers DNS queries from everywhere",
        edits=edit(_ARGV, '        "--local-service",  # no open resolver (Launchpad 1501206)\n', ""),
        killer=f"{_UNIT}/test_render_argv.py::test_the_whole_line",
    ),
    Mutant(
        name="metadata-for-everybody",
        bugs=("1745618",),
        museum=("INJECT",),
        brings_back="the metadata proxy is bound to every address of the namespace",
        edits=edit(_METADATA, "address=METADATA_V4_ADDRESS,", 'address="0.0.0.0",'),
        killer=f"{_UNIT}/test_render_metadata.py::test_the_bind_line",
    ),
    # -- leases
    Mutant(
        name="a-duid-is-compared-with-the-client-id",
        bugs=(),
        museum=("L6", "LEASE"),
        brings_back="the lease of a live DHCPv6 port with a client id is released at every reload",
        edits=edit(
            _STALE,
            "return lease.ip_address in macs or unknown[lease.ip_address] in found",
            "owners6 = self._owners({lease.ip_address})\n"
            "                return any(_same_client(lease.client_id, port.client_id) for port in owners6)",
        ),
        killer=f"{_UNIT}/test_readback_leases.py"
        "::TestStaleV6::test_a_live_port_keeps_its_lease_however_its_address_is_spelt",
    ),
    Mutant(
        name="a-client-id-of-its-own-costs-the-lease",
        bugs=("1806770",),
        museum=("LEASE",),
        brings_back="a machine that sends a client id has its lease released when any other port changes",
        edits=edit(
            _STALE,
            "_same_mac(lease.mac_address, port.mac_address) or _same_client",
            "_same_mac(lease.mac_address, port.mac_address) and _same_client",
        ),
        killer=f"{_UNIT}/test_readback_leases.py"
        "::TestStaleV4::test_a_live_port_keeps_its_lease_whatever_the_client_ids",
    ),
    Mutant(
        name="dhcpv6-leases-are-forgotten",
        bugs=("1345947", "1722126"),
        museum=("LEASE",),
        brings_back="a restart forgets DHCPv6 leases: dnsmasq does not know its clients any more",
        edits=edit("render/leases.py", '_read(previous or "")', '_read("")'),
        killer=f"{_UNIT}/test_render_leases.py::test_ipv6_leases_of_live_ports_are_kept_as_they_are",
    ),
    Mutant(
        name="leases-that-end-before-the-clients-renew",
        bugs=("2124215",),
        museum=("LEASE",),
        brings_back="initial leases expire: a client with a longer one gets a NAK and drops its connections",
        edits=edit(
            "render/leases.py",
            'line = f"0 {port.mac_address} {address} * *"',
            'line = f"86400 {port.mac_address} {address} * *"',
        ),
        killer=f"{_UNIT}/test_render_leases.py::test_ipv4_leases_never_expire_until_they_are_renewed",
    ),
    # -- metadata
    Mutant(
        name="only-the-first-subnet-decides",
        bugs=("1556991",),
        museum=("META",),
        brings_back="with an IPv6 subnet first the network has no metadata proxy, whatever comes after it",
        edits=edit(
            _METADATA,
            "return any(subnet.id not in routed for subnet in served)",
            "return served[0].id not in routed",
        ),
        killer=f"{_UNIT}/test_museum_metadata.py::test_an_ipv4_subnet_behind_an_ipv6_one_has_its_proxy",
    ),
    Mutant(
        name="an-address-is-bound-that-nobody-set",
        bugs=("2103417",),
        museum=("META",),
        brings_back="haproxy binds the IPv6 metadata address on networks where no device has it, and fails",
        edits=edit(
            _METADATA,
            """    if not any(subnet.ip_version == 6 for subnet in network.subnets):
        return None
""",
            "",
        ),
        killer=f"{_UNIT}/test_render_metadata.py::test_where_ipv6_metadata_is_bound",
    ),
    # -- segments
    Mutant(
        name="a-reload-overwrites-the-cached-network",
        bugs=(),
        museum=("L2", "SEG"),
        brings_back="rendering one segment leaves the network with that segment's subnets: the next serves it alone",
        edits=edit(
            "render/views.py",
            "        view = _view(network, tuple(groups[segment_id]), segment)\n",
            '        object.__setattr__(network, "subnets", tuple(groups[segment_id]))\n'
            "        view = _view(network, network.subnets, segment)\n",
        ),
        killer=f"{_UNIT}/test_museum_state.py::TestSegments::test_the_second_reload_serves_all_segments_too",
    ),
)
