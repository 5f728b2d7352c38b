"""The in-memory adapters keep every law of their contracts."""

from __future__ import annotations

import pytest

from dhcpcore.testing import conformance


class TestMemoryClock(conformance.ClockConformance):
    @pytest.fixture
    def world(self) -> conformance.MemoryClockWorld:
        return conformance.MemoryClockWorld()


class TestRecordingReporter(conformance.ReporterConformance):
    @pytest.fixture
    def world(self) -> conformance.MemoryReporterWorld:
        return conformance.MemoryReporterWorld()


class TestMemoryFileStore(conformance.FileStoreConformance):
    @pytest.fixture
    def world(self) -> conformance.MemoryFileStoreWorld:
        return conformance.MemoryFileStoreWorld()


class TestMemoryNamespaceControl(conformance.NamespaceControlConformance):
    @pytest.fixture
    def world(self) -> conformance.MemoryNamespaceControlWorld:
        return conformance.MemoryNamespaceControlWorld()


class TestMemoryProcessControl(conformance.ProcessControlConformance):
    @pytest.fixture
    def world(self) -> conformance.MemoryProcessControlWorld:
        return conformance.MemoryProcessControlWorld()


class TestMemoryServerRpc(conformance.ServerRpcConformance):
    @pytest.fixture
    def world(self) -> conformance.MemoryServerWorld:
        return conformance.MemoryServerWorld()
