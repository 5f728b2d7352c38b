"""What requests may contain: one model for each body, with Neutron's names.

A model says what one value may look like by itself; what must fit to other values or to the database is said in
`subnet_rules` and by the operations.  What a client did not send is not in `sent()`.
"""

from __future__ import annotations

import re
from ipaddress import ip_address, ip_network
from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from reference_server.errors import from_validation

_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
#: Members of a list, and of a port's options: a longer one would keep everybody else waiting.
MAX_MEMBERS: Final = 100
MAX_OPTIONS: Final = 200
#: Options whose value may be empty (neutron-lib VALID_BLANK_EXTRA_DHCP_OPTS).
_MAY_BE_BLANK: Final = ("router", "classless-static-route")


def _mac(text: str) -> str:
    mac = text.lower().replace("-", ":")
    # An odd first byte is a group address: no interface can have it.
    if not _MAC.fullmatch(mac) or mac == "00:00:00:00:00:00" or int(mac[:2], 16) & 1:
        raise ValueError(f"{text!r} is not a valid MAC address")
    return mac


def _ip(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a valid IP address") from None
    if getattr(address, "scope_id", None):
        raise ValueError(f"{text!r} is not a valid IP address: it has a scope")
    return str(address)


def _cidr(text: str) -> str:
    try:
        if "%" in text or "/" not in text:
            raise ValueError
        network = ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is not a valid IP subnet") from None
    if str(network.network_address) != str(ip_address(text.partition("/")[0])):
        raise ValueError(f"{text!r} isn't a recognized IP subnet cidr, '{network}' is recommended")
    return str(network)


def _address_or_cidr(text: str) -> str:
    return _cidr(text) if "/" in text else _ip(text)


def _dns_name(text: str) -> str:
    name = text.lower()
    labels = name.removesuffix(".").split(".") if name else []
    if len(name) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{text!r} is not a valid DNS name")
    return name


Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value), Field(max_length=255)]
_Empty = BeforeValidator(lambda value: [] if value is None else value)
_Few = Field(max_length=MAX_MEMBERS)
Id = Annotated[str, Field(min_length=1, max_length=255)]
Mac = Annotated[str, AfterValidator(_mac)]
Ip = Annotated[str, AfterValidator(_ip)]
Cidr = Annotated[str, AfterValidator(_cidr)]
DnsName = Annotated[Text, AfterValidator(_dns_name)]
Ipv6Mode = Literal["slaac", "dhcpv6-stateful", "dhcpv6-stateless"]
NetworkType = Literal["local", "flat", "vlan", "vxlan", "gre", "geneve"]
Model = TypeVar("Model", bound="Body")


class Body(BaseModel):
    """An object of a request."""

    model_config = ConfigDict(extra="forbid", populate_by_name=False)

    def sent(self) -> dict[str, Any]:
        """What the client sent, by column names."""
        return self.model_dump(exclude_unset=True)


class FixedIp(Body):
    """A member of a port's fixed_ips: a subnet, an address, or both."""

    subnet_id: Id | None = None
    ip_address: Ip | None = None

    @model_validator(mode="after")
    def _says_something(self) -> FixedIp:
        if self.subnet_id is None and self.ip_address is None:
            raise ValueError("subnet_id or ip_address is required")
        return self


class ExtraDhcpOption(Body):
    """A member of extra_dhcp_opts; a value of None takes the option away."""

    opt_name: Annotated[str, Field(min_length=1, max_length=255)]
    opt_value: str | None = None
    ip_version: Literal[4, 6] = 4

    @model_validator(mode="after")
    def _blank_only_where_that_means_something(self) -> ExtraDhcpOption:
        if self.opt_value == "" and self.opt_name not in _MAY_BE_BLANK:
            raise ValueError(f"opt_value of {self.opt_name!r} may not be empty")
        return self


class AddressPair(Body):
    """A member of allowed_address_pairs."""

    ip_address: Annotated[str, AfterValidator(_address_or_cidr)]
    mac_address: Mac | None = None


class Pool(Body):
    """A member of allocation_pools."""

    start: Ip
    end: Ip


class HostRoute(Body):
    """A member of host_routes."""

    destination: Cidr
    nexthop: Ip


class _Owned(Body):
    name: Text = ""
    description: Text = ""
    project_id: Text = ""

    @model_validator(mode="before")
    @classmethod
    def _tenant_is_project(cls, data: Any) -> Any:
        if isinstance(data, dict) and "tenant_id" in data:
            data = {**data}
            data.setdefault("project_id", data.pop("tenant_id"))
            data.pop("tenant_id", None)
        return data


class _Described(Body):
    name: Text = ""
    description: Text = ""


class NetworkUpdate(_Described):
    """PUT /networks/ID."""

    admin_state_up: bool = True
    mtu: Annotated[int, Field(ge=68, le=65535)] = 1500
    shared: bool = False
    router_external: bool = Field(default=False, alias="router:external")


class NetworkCreate(NetworkUpdate, _Owned):
    """POST /networks."""

    network_type: NetworkType | None = Field(default=None, alias="provider:network_type")
    physical_network: Id | None = Field(default=None, alias="provider:physical_network")
    segmentation_id: Annotated[int, Field(ge=1, lt=1 << 24)] | None = Field(
        default=None, alias="provider:segmentation_id"
    )


class SubnetUpdate(_Described):
    """PUT /subnets/ID."""

    gateway_ip: Ip | None = None
    enable_dhcp: bool = True
    allocation_pools: Annotated[list[Pool], _Empty, _Few] = []
    dns_nameservers: Annotated[list[Ip], _Empty, Field(max_length=5)] = []
    host_routes: Annotated[list[HostRoute], _Empty, Field(max_length=20)] = []


class SubnetCreate(SubnetUpdate, _Owned):
    """POST /subnets."""

    network_id: Id
    cidr: Cidr
    ip_version: Literal[4, 6]
    ipv6_ra_mode: Ipv6Mode | None = None
    ipv6_address_mode: Ipv6Mode | None = None
    segment_id: Id | None = None


class PortUpdate(_Described):
    """PUT /ports/ID."""

    admin_state_up: bool = True
    mac_address: Mac = ""
    fixed_ips: Annotated[list[FixedIp], _Empty, _Few] = []
    device_id: Text = ""
    device_owner: Text = ""
    host_id: Text = Field(default="", alias="binding:host_id")
    vnic_type: Annotated[str, Field(min_length=1, max_length=64)] = Field(default="normal", alias="binding:vnic_type")
    profile: Annotated[dict[str, Any], BeforeValidator(lambda value: {} if value is None else value)] = Field(
        default={}, alias="binding:profile"
    )
    dns_name: DnsName = ""
    extra_dhcp_opts: Annotated[list[ExtraDhcpOption], _Empty, Field(max_length=MAX_OPTIONS)] = []
    allowed_address_pairs: Annotated[list[AddressPair], _Empty, _Few] = []
    security_groups: Annotated[list[Id], _Empty, _Few] = []


class PortCreate(PortUpdate, _Owned):
    """POST /ports."""

    network_id: Id


class SegmentUpdate(_Described):
    """PUT /segments/ID."""


class SegmentCreate(SegmentUpdate, _Owned):
    """POST /segments."""

    network_id: Id
    network_type: NetworkType
    physical_network: Id | None = None
    segmentation_id: Annotated[int, Field(ge=1, lt=1 << 24)] | None = None


class AgentUpdate(Body):
    """PUT /agents/ID."""

    admin_state_up: bool = True
    description: Annotated[str, Field(max_length=255)] | None = None


class AgentNetwork(Body):
    """POST /agents/ID/dhcp-networks."""

    network_id: Id


def read(model: type[Model], data: Any, within: str) -> dict[str, Any]:
    """What `data` says, checked.

    Args:
        within: the path of `data` in its body, for errors.

    Raises:
        ApiError: 400, naming the field.
    """
    try:
        return model.model_validate(data).sent()
    except ValidationError as error:
        raise from_validation(error, within) from None
