"""The database: its tables, and opening it.

One SQLite file with a write-ahead log: what was committed survives the death of the process at any moment, and
(`synchronous=FULL`) of the machine.  Rows keep what was asked for; what can be computed is computed when it is read.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, String, Table

#: Changes whenever a table does.  There is no migration: an example that is outgrown is replaced by Neutron.
SCHEMA_VERSION: Final = 1
#: PRAGMA application_id: how a file is known to be ours ("dhcS").
APPLICATION_ID: Final = 0x64686353

metadata = sa.MetaData()


def _standard() -> list[Column[Any]]:
    """What every resource has; `seq` orders by creation, and is what agents see as standard_attr_id."""
    return [
        Column("seq", Integer, primary_key=True, autoincrement=True),
        Column("id", String, nullable=False, unique=True),
        Column("name", String, nullable=False, index=True),
        Column("description", String, nullable=False, default=""),
        Column("project_id", String, nullable=False),
        Column("created_at", String, nullable=False),
        Column("updated_at", String, nullable=False),
        Column("revision_number", Integer, nullable=False, default=0),
    ]


def _network_id() -> Column[Any]:
    return Column("network_id", ForeignKey("networks.id", ondelete="RESTRICT"), nullable=False)


networks = Table(
    "networks",
    metadata,
    *_standard(),
    Column("admin_state_up", Boolean, nullable=False),
    Column("mtu", Integer, nullable=False),
    Column("shared", Boolean, nullable=False, default=False),
    Column("router_external", Boolean, nullable=False, default=False),
    sqlite_autoincrement=True,
)
segments = Table(
    "segments",
    metadata,
    *_standard(),
    _network_id(),
    Column("network_type", String, nullable=False),
    Column("physical_network", String),
    Column("segmentation_id", Integer),
    Column("segment_index", Integer, nullable=False, default=0),
    Index("ix_segments_network", "network_id"),
    Index("ix_segments_what", "network_type", "segmentation_id"),
    sqlite_autoincrement=True,
)
subnets = Table(
    "subnets",
    metadata,
    *_standard(),
    _network_id(),
    Column("segment_id", ForeignKey("segments.id", ondelete="RESTRICT")),
    Column("ip_version", Integer, nullable=False),
    Column("cidr", String, nullable=False),
    Column("gateway_ip", String),
    Column("enable_dhcp", Boolean, nullable=False),
    Column("ipv6_ra_mode", String),
    Column("ipv6_address_mode", String),
    Column("allocation_pools", sa.JSON, nullable=False),
    Column("dns_nameservers", sa.JSON, nullable=False),
    Column("host_routes", sa.JSON, nullable=False),
    Index("ix_subnets_network", "network_id"),
    sqlite_autoincrement=True,
)
ports = Table(
    "ports",
    metadata,
    *_standard(),
    _network_id(),
    Column("mac_address", String, nullable=False),
    Column("admin_state_up", Boolean, nullable=False, default=True),
    Column("status", String, nullable=False, default="DOWN"),
    Column("device_id", String, nullable=False, default="", index=True),
    Column("device_owner", String, nullable=False, default=""),
    Column("host_id", String, nullable=False, default=""),
    Column("vnic_type", String, nullable=False, default="normal"),
    Column("profile", sa.JSON, nullable=False, default=dict),
    Column("dns_name", String, nullable=False, default=""),
    Column("extra_dhcp_opts", sa.JSON, nullable=False, default=list),
    Column("allowed_address_pairs", sa.JSON, nullable=False, default=list),
    Column("security_groups", sa.JSON, nullable=False, default=list),
    # True: it turns ACTIVE only when an agent has reported it (Neutron: a provisioning block of the DHCP entity).
    Column("awaiting_dhcp", Boolean, nullable=False, default=False),
    Index("ix_ports_mac", "network_id", "mac_address", unique=True),
    sqlite_autoincrement=True,
)
fixed_ips = Table(
    "fixed_ips",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("port_id", ForeignKey("ports.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("subnet_id", ForeignKey("subnets.id", ondelete="RESTRICT"), nullable=False),
    Column("ip_address", String, nullable=False, index=True),
    # The address as 16 bytes, big end first: they sort as addresses do.
    Column("number", LargeBinary, nullable=False),
    Index("ix_fixed_ips_number", "subnet_id", "number", unique=True),
)
agents = Table(
    "agents",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("agent_type", String, nullable=False),
    Column("binary", String, nullable=False),
    Column("topic", String, nullable=False),
    Column("host", String, nullable=False),
    Column("admin_state_up", Boolean, nullable=False, default=True),
    Column("description", String),
    Column("availability_zone", String),
    Column("configurations", sa.JSON, nullable=False),
    # Seconds since the epoch.
    Column("created_at", Float, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("heartbeat_timestamp", Float, nullable=False),
    Index("ix_agents_host", "agent_type", "host", unique=True),
)
#: Which agents serve which networks.
bindings = Table(
    "bindings",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("network_id", ForeignKey("networks.id", ondelete="CASCADE"), nullable=False),
    Column("agent_id", ForeignKey("agents.id", ondelete="CASCADE"), nullable=False, index=True),
    Index("ix_bindings_both", "network_id", "agent_id", unique=True),
)


class DatabaseError(Exception):
    """The database cannot be used. The text says why, and what to do."""


def open_database(path: str) -> tuple[sa.Engine, int]:
    """Open a database, or make one.

    Returns:
        the engine, of one connection that any thread may use, one at a time; and a file descriptor that holds the
        lock on the database: close both.

    Raises:
        DatabaseError: another server uses it; it is of another version, or no database of ours at all.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DatabaseError(f"cannot open the database {path}: {error.strerror}: {error.filename}") from None
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise DatabaseError(
                f"the database {path} is in use by another server: stop that one, or give this one a file of its own"
            ) from None
        try:
            # SQLite would make it for everybody to read; the files beside it get the mode of this one.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise DatabaseError(f"cannot open the database {path}: {error.strerror}: {error.filename}") from None
        engine = sa.create_engine("sqlite://", creator=lambda: _connect(path), poolclass=sa.StaticPool)
        # The driver's own idea of when a transaction begins leaves reads and table creation outside of it.
        sa.event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        try:
            with engine.begin() as connection:
                _check_version(connection, path)
        except BaseException as error:
            engine.dispose()
            if not isinstance(error, sa.exc.DatabaseError):
                raise
            raise DatabaseError(
                f"cannot use the database {path}: {error.orig}. Move the file away (an empty database is made in its "
                "place), or restore a backup"
            ) from None
    except BaseException:
        os.close(lock)
        raise
    return engine, lock


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5.0)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_version(connection: sa.Connection, path: str) -> None:
    version = connection.exec_driver_sql("PRAGMA user_version").scalar_one()
    application = connection.exec_driver_sql("PRAGMA application_id").scalar_one()
    empty = connection.exec_driver_sql("SELECT count(*) FROM sqlite_schema").scalar_one() == 0
    if empty and version == 0:
        metadata.create_all(connection)
        connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
        connection.exec_driver_sql(f"PRAGMA user_version={SCHEMA_VERSION}")
    elif application != APPLICATION_ID:
        raise DatabaseError(f"{path} is a database of another program: give the server a file of its own")
    elif version != SCHEMA_VERSION:
        raise DatabaseError(
            f"{path} has schema version {version}, this server reads version {SCHEMA_VERSION} and migrates none: start "
            "the release that made it, or move the file away and create the networks anew (an empty one is made)"
        )
