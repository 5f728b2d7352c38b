"""Queries on collections: filters, order, pages, and which members are wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any
from urllib.parse import urlencode

import sqlalchemy as sa

from reference_server.errors import invalid, not_found
from reference_server.resources import Resource
from reference_server.schema import agents, fixed_ips, ports
from reference_server.transaction import Transaction, Wire

_PAGING = ("fields", "limit", "marker", "page_reverse", "sort_dir", "sort_key")


def list_resource(tx: Transaction, resource: Resource, query: Iterable[tuple[str, str]], url: str) -> dict[str, Any]:
    """The answer to GET on a collection.

    Args:
        query: names and values, in order; a name that comes twice means either.
        url: of the collection, for the link to the next page.

    Raises:
        ApiError: 400, naming a filter that there is not, or a value that cannot be; pages are turned forward only.
    """
    asked: dict[str, list[str]] = defaultdict(list)
    for name, value in query:
        asked[name].append(value)
    where = [_condition(tx, resource, name, values) for name, values in asked.items() if name not in _PAGING]
    order = _order(resource, asked)
    if any(_boolean("page_reverse", value) for value in asked.get("page_reverse", ())):
        raise invalid("the query's page_reverse", "pages are turned forward only; sort the other way with sort_dir")
    limit = _number("limit", asked["limit"][-1]) if asked.get("limit") else None
    cut = False
    if limit or asked.get("marker"):
        ids = tx.column(sa.select(resource.table.c.id).where(*where).order_by(*order, resource.table.c.seq))
        if asked.get("marker"):
            marker = asked["marker"][-1]
            if marker not in ids:
                raise not_found(resource.kind, marker)
            ids = ids[ids.index(marker) + 1 :]
        cut = bool(limit) and len(ids) > (limit or 0)
        # Ids go into the statement as one JSON text: their number is not limited.
        page = sa.func.json_each(sa.bindparam("page", ids[: limit or None], type_=sa.JSON)).table_valued("value")
        where = [resource.table.c.id.in_(sa.select(page.c.value))]
    found = resource.find(tx, *where, order=order)
    answer: dict[str, Any] = {resource.plural: [public(each, asked.get("fields", ())) for each in found]}
    if cut:
        rest = [(name, value) for name, values in asked.items() if name != "marker" for value in values]
        following = urlencode([*rest, ("marker", found[-1]["id"])])
        answer[f"{resource.plural}_links"] = [{"rel": "next", "href": f"{url}?{following}"}]
    return answer


def public(thing: Wire, fields: Iterable[str] = ()) -> Wire:
    """As the API answers it, with only those `fields` where there are some."""
    wanted = set(fields)
    return {
        name: value for name, value in thing.items() if name != "standard_attr_id" and (not wanted or name in wanted)
    }


def _condition(tx: Transaction, resource: Resource, name: str, values: list[str]) -> sa.ColumnElement[bool]:
    if resource.table is ports and name == "fixed_ips":
        return _with_address(values)
    if resource.table is agents and name == "alive":
        alive = agents.c.heartbeat_timestamp >= tx.now - tx.options.agent_down_time
        return sa.or_(*(alive if _boolean(name, value) else sa.not_(alive) for value in values))
    column = resource.filters.get(name)
    if column is None:
        raise invalid(f"the query's {name}", f"{resource.plural} cannot be filtered by it")
    if isinstance(column.type, sa.Boolean):
        return column.in_([_boolean(name, value) for value in values])
    if isinstance(column.type, sa.Integer):
        return column.in_([_number(name, value) for value in values])
    return column.in_(values)


def _with_address(values: list[str]) -> sa.ColumnElement[bool]:
    """``fixed_ips=ip_address=10.0.0.3``: ports that have one of the addresses and are on one of the subnets."""
    columns = {"ip_address": fixed_ips.c.ip_address, "subnet_id": fixed_ips.c.subnet_id}
    wanted: dict[str, list[str]] = defaultdict(list)
    for value in values:
        name, _, text = value.partition("=")
        if name not in columns:
            raise invalid("the query's fixed_ips", f"{value!r} is not ip_address=... or subnet_id=...")
        wanted[name].append(text)
    matching = sa.select(fixed_ips.c.port_id).where(*(columns[name].in_(texts) for name, texts in wanted.items()))
    return ports.c.id.in_(matching)


def _order(resource: Resource, asked: dict[str, list[str]]) -> list[sa.ColumnElement[Any]]:
    """Each sort_key with the sort_dir in its place; those without one ascend."""
    names, directions = asked.get("sort_key", []), asked.get("sort_dir", [])
    if len(directions) > len(names):
        raise invalid("the query's sort_dir", f"there are {len(directions)} for {len(names)} of sort_key")
    dated = {each: resource.table.c[each] for each in ("created_at", "updated_at") if each in resource.table.c}
    order: list[sa.ColumnElement[Any]] = []
    for name, direction in zip_longest(names, directions, fillvalue="asc"):
        column = dated.get(name, resource.filters.get(name))
        if column is None:
            raise invalid("the query's sort_key", f"{resource.plural} cannot be sorted by {name}")
        if direction not in ("asc", "desc"):
            raise invalid("the query's sort_dir", f"{direction!r} is neither asc nor desc")
        order.append(column.desc() if direction == "desc" else column.asc())
    return order


def _boolean(name: str, text: str) -> bool:
    if text.lower() in ("true", "1"):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise invalid(f"the query's {name}", f"{text!r} is neither true nor false")


def _number(name: str, text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 16:
        return int(text)
    raise invalid(f"the query's {name}", f"{text!r} is no number")
