"""Neutron's API v2.0 over HTTP: from requests to operations, and from refusals to answers.

Bodies are collected on the event loop; everything else is done in worker threads, one transaction for each request, so
that connections are kept alive however long a transaction takes.
"""

from __future__ import annotations

import json
import logging
import re
import secrets
from collections.abc import Callable
from typing import Final

import sqlalchemy as sa
from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reference_server import bodies, scheduling
from reference_server.agents import agent_row
from reference_server.core import Neutron
from reference_server.errors import ApiError, not_found
from reference_server.listing import list_resource, public
from reference_server.networks import get_network
from reference_server.options import Options, is_loopback
from reference_server.resources import EXTENSIONS, RESOURCES, Resource
from reference_server.schema import agents, bindings, networks
from reference_server.transaction import Transaction, Wire
from reference_server.views import find_agents, find_networks

_LOG: Final = logging.getLogger(__name__)
#: Bytes of a request's body.
MAX_BODY: Final = 16 * 1024 * 1024
#: Members of a bulk creation, and their fixed_ips: it is one transaction, and everybody else waits for its end.
MAX_BULK: Final = 5000
_REVISION: Final = re.compile(r"revision_number=(\d{1,15})")

Handler = Callable[[Request, Wire], Response]


def make_app(neutron: Neutron, more: list[BaseRoute]) -> ASGIApp:
    """The whole API, with `more` routes beside it."""
    routes: list[BaseRoute] = [
        _route("/", "GET", _versions),
        _route("/v2.0", "GET", _resources),
        _route("/v2.0/", "GET", _resources),
        _route("/v2.0/extensions", "GET", _extensions),
        _route("/v2.0/extensions/{id}", "GET", _extension),
    ]
    for resource in RESOURCES:
        routes += Collection(neutron, resource).routes()
    routes += AgentNetworks(neutron).routes()
    app = Starlette(routes=[*routes, *more], exception_handlers={HTTPException: _http_error})
    app.router.redirect_slashes = False
    return Guard(app, neutron.options)


class Guard:
    """Lets in who may come in. Agents' connections check the token themselves."""

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self._app = app
        self._token = options.token
        self._any_name = options.unix is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        refusal = self._refusal(scope) if scope["type"] in ("http", "websocket") else None
        if refusal is None:
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            await JSONResponse(refusal.body(), refusal.status)(scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": refusal.message})

    def _refusal(self, scope: Scope) -> ApiError | None:
        headers = {name.lower(): value for name, value in scope["headers"]}
        if self._token is None:
            # Any page in a browser on this machine could ask us otherwise, under a name of its own that leads here too.
            host = headers.get(b"host", b"localhost").decode("latin-1").rpartition("]")
            name = host[0].removeprefix("[") or host[2].partition(":")[0]
            if b"origin" in headers or not (self._any_name or is_loopback(name)):
                return ApiError("HTTPForbidden", "Without a token file nothing is served to pages in browsers", 403)
        elif scope["type"] == "http" and scope["path"] not in ("/", "/v2.0", "/v2.0/"):
            given = headers.get(b"x-auth-token") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
            if not secrets.compare_digest(given, self._token.encode()):
                return ApiError("HTTPUnauthorized", "X-Auth-Token or Authorization: Bearer is required", 401)
        return None


def _route(path: str, method: str, handler: Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        try:
            body = await _body(request) if method in ("POST", "PUT") else None
            return await run_in_threadpool(lambda: handler(request, {} if body is None else _object(body)))
        except ApiError as error:
            return JSONResponse(error.body(), error.status)
        except ClientDisconnect:
            return Response(status_code=400)  # nobody reads it
        except sa.exc.OperationalError as error:
            _LOG.error("the database cannot be used: %s", error.orig)
            refusal = ApiError(
                "ServiceUnavailable", f"The database cannot be used: {error.orig}. Nothing was done.", 503
            )
            return JSONResponse(refusal.body(), refusal.status)
        except Exception:
            _LOG.exception("%s %s", request.method, request.url.path)
            fault = ApiError("HTTPInternalServerError", "Request Failed: internal server error. Nothing was done.", 500)
            return JSONResponse(fault.body(), fault.status)

    return Route(path, endpoint, methods=[method])


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = {404: "HTTPNotFound", 405: "HTTPMethodNotAllowed"}.get(error.status_code, "HTTPError")
    message = f"{request.method} {request.url.path}: {error.detail}"
    return JSONResponse(ApiError(kind, message).body(), error.status_code, headers=error.headers)


async def _body(request: Request) -> bytes:
    """The whole body.

    Raises:
        ApiError: 413.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY:
            raise ApiError("HTTPRequestEntityTooLarge", f"The body is larger than {MAX_BODY} bytes", 413)
        parts.append(part)
    return b"".join(parts)


def _object(body: bytes) -> Wire:
    """The body's object.

    Raises:
        ApiError: 400.
    """
    try:
        data = from_json(body, allow_inf_nan=False)
        # 1e999 is JSON, and infinity as a float: it could be stored, but never be told again.
        json.dumps(data, allow_nan=False)
    except (ValueError, RecursionError) as error:
        raise ApiError("HTTPBadRequest", f"The body is no JSON that can be told again: {error}") from None
    if not isinstance(data, dict):
        raise ApiError("HTTPBadRequest", "The body must be an object")
    return data


class Collection:
    """One resource's collection and members."""

    def __init__(self, neutron: Neutron, resource: Resource) -> None:
        self._neutron = neutron
        self._resource = resource

    def routes(self) -> list[BaseRoute]:
        """All routes below the collection's name."""
        plural = f"/v2.0/{self._resource.plural}"
        member = f"{plural}/{{id}}"
        routes: list[BaseRoute] = [
            _route(plural, "GET", self._list),
            _route(member, "GET", self._show),
            _route(member, "PUT", self._update),
            _route(member, "DELETE", self._delete),
        ]
        return routes if self._resource.create is None else [*routes, _route(plural, "POST", self._create)]

    def _get(self, tx: Transaction, id: str) -> Wire:
        found = self._resource.find(tx, self._resource.table.c.id == id)
        if not found:
            raise not_found(self._resource.kind, id)
        return found[0]

    def _list(self, request: Request, body: Wire) -> Response:
        url = str(request.url.replace(query=""))
        with self._neutron.transaction() as tx:
            return JSONResponse(list_resource(tx, self._resource, request.query_params.multi_items(), url))

    def _show(self, request: Request, body: Wire) -> Response:
        with self._neutron.transaction() as tx:
            found = self._get(tx, request.path_params["id"])
        return JSONResponse({self._resource.name: public(found, request.query_params.getlist("fields"))})

    def _create(self, request: Request, body: Wire) -> Response:
        name, plural = self._resource.name, self._resource.plural
        assert self._resource.create is not None
        assert self._resource.create_body is not None
        if set(body) not in ({name}, {plural}):
            raise ApiError("HTTPBadRequest", f"The body must be an object with one member, {name} or {plural}")
        bulk = plural in body
        if bulk and not (isinstance(body[plural], list) and body[plural]):
            raise ApiError("HTTPBadRequest", f"{plural} must be a list that is not empty")
        if bulk and len(body[plural]) > MAX_BULK:
            raise ApiError(
                "HTTPBadRequest", f"{plural} has {len(body[plural])} members; create at most {MAX_BULK} at once"
            )
        wanted = (
            [bodies.read(self._resource.create_body, each, f"{plural}[{n}]") for n, each in enumerate(body[plural])]
            if bulk
            else [bodies.read(self._resource.create_body, body[name], name)]
        )
        if (addresses := sum(len(each.get("fixed_ips", ())) for each in wanted)) > MAX_BULK:
            raise ApiError("HTTPBadRequest", f"{plural} have {addresses} fixed_ips; ask for at most {MAX_BULK} at once")
        with self._neutron.transaction() as tx:
            made = [public(self._resource.create(tx, each)) for each in wanted]
            # Made within the transaction: what cannot be rendered is undone.
            return JSONResponse({plural: made} if bulk else {name: made[0]}, 201)

    def _update(self, request: Request, body: Wire) -> Response:
        name = self._resource.name
        if set(body) != {name}:
            raise ApiError("HTTPBadRequest", f"The body must be an object with one member, {name}")
        changes = bodies.read(self._resource.update_body, body[name], name)
        id = request.path_params["id"]
        with self._neutron.transaction() as tx:
            self._check_revision(request, tx, id)
            return JSONResponse({name: public(self._resource.update(tx, id, changes))})

    def _delete(self, request: Request, body: Wire) -> Response:
        id = request.path_params["id"]
        with self._neutron.transaction() as tx:
            self._check_revision(request, tx, id)
            self._resource.delete(tx, id)
        return Response(status_code=204)

    def _check_revision(self, request: Request, tx: Transaction, id: str) -> None:
        """If-Match: revision_number=N: only if nobody has changed it since."""
        wanted = request.headers.get("if-match")
        if wanted is None:
            return
        match = _REVISION.fullmatch(wanted.strip().strip('"'))
        if match is None:
            raise ApiError("HTTPBadRequest", "Invalid input for If-Match. Reason: expected revision_number=N.")
        current = self._get(tx, id).get("revision_number")
        if int(match[1]) != current:
            raise ApiError(
                "RevisionNumberConstraintFailed", f"Constrained to {match[1]}, but current revision is {current}", 412
            )


class AgentNetworks:
    """Which agent serves which networks: /agents/ID/dhcp-networks, /networks/ID/dhcp-agents."""

    def __init__(self, neutron: Neutron) -> None:
        self._neutron = neutron

    def routes(self) -> list[BaseRoute]:
        """All of them."""
        return [
            _route("/v2.0/agents/{id}/dhcp-networks", "GET", self._networks),
            _route("/v2.0/agents/{id}/dhcp-networks", "POST", self._add),
            _route("/v2.0/agents/{id}/dhcp-networks/{network_id}", "DELETE", self._remove),
            _route("/v2.0/networks/{id}/dhcp-agents", "GET", self._agents),
        ]

    def _networks(self, request: Request, body: Wire) -> Response:
        with self._neutron.transaction() as tx:
            agent = agent_row(tx, request.path_params["id"])
            mine = sa.select(bindings.c.network_id).where(bindings.c.agent_id == agent["id"])
            found = find_networks(tx, networks.c.id.in_(mine))
        return JSONResponse({"networks": [public(each) for each in found]})

    def _agents(self, request: Request, body: Wire) -> Response:
        with self._neutron.transaction() as tx:
            network = get_network(tx, request.path_params["id"])
            hosting = sa.select(bindings.c.agent_id).where(bindings.c.network_id == network["id"])
            found = find_agents(tx, agents.c.id.in_(hosting))
        return JSONResponse({"agents": found})

    def _add(self, request: Request, body: Wire) -> Response:
        wanted = bodies.read(bodies.AgentNetwork, body, "")
        with self._neutron.transaction() as tx:
            agent = agent_row(tx, request.path_params["id"])
            scheduling.add_network(tx, agent, get_network(tx, wanted["network_id"])["id"])
        return JSONResponse(None, 201)

    def _remove(self, request: Request, body: Wire) -> Response:
        with self._neutron.transaction() as tx:
            agent = agent_row(tx, request.path_params["id"])
            scheduling.remove_network(tx, agent, request.path_params["network_id"])
        return Response(status_code=204)


def _version(request: Request) -> Wire:
    links = [{"rel": "self", "href": f"{request.base_url}v2.0/"}]
    return {"id": "v2.0", "status": "CURRENT", "links": links}


def _versions(request: Request, body: Wire) -> Response:
    return JSONResponse({"versions": [_version(request)]})


def _resources(request: Request, body: Wire) -> Response:
    """Neutron's list of resources, and the version too: clients that are given this as the endpoint look for it."""
    root = f"{request.base_url}v2.0"
    listed = [
        {"name": each.name, "collection": each.plural, "links": [{"rel": "self", "href": f"{root}/{each.plural}"}]}
        for each in RESOURCES
    ]
    return JSONResponse({"version": _version(request), "resources": listed})


def _described(alias: str) -> Wire:
    updated = "2026-01-01T00:00:00-00:00"
    return {"alias": alias, "name": EXTENSIONS[alias], "description": "", "links": [], "updated": updated}


def _extensions(request: Request, body: Wire) -> Response:
    return JSONResponse({"extensions": [_described(alias) for alias in sorted(EXTENSIONS)]})


def _extension(request: Request, body: Wire) -> Response:
    alias = request.path_params["id"]
    if alias not in EXTENSIONS:
        raise not_found("Extension", alias)
    return JSONResponse({"extension": _described(alias)})
