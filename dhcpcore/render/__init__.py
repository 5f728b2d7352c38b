"""Models and settings to texts: dnsmasq's files and command line, haproxy's configuration, the device they need.

Pure and deterministic.  Bytes are those of Neutron 29.0.0 for every input that dnsmasq can read as it was meant; what
differs carries a warning, whose code is a row of docs/differences.md.
"""
