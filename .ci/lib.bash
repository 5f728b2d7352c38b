# Sourced by the scripts beside it: where the checkout is, which Python to use, and what may be installed through apt.
# Knows no package of ours. Nothing here runs by being sourced.

CHECKOUT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)"

say() { printf '==> %s\n' "$*"; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# The daemons live where an ordinary user's PATH does not look.
PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

# `apt_prefix` prints what to put before apt-get ("" or "sudo -n"), or fails where apt may not be used.
apt_prefix() {
    [ -z "${DHCPCORE_NO_APT:-}" ] || return 1
    command -v apt-get >/dev/null || return 1
    if [ "$(id -u)" = 0 ]; then return 0; fi
    command -v sudo >/dev/null && sudo -n true 2>/dev/null || return 1
    echo "sudo -n"
}

# apt_install PACKAGE...: 0 when all are installed; 1 when not allowed or not possible, with the reason on stderr.
# One that this system does not have keeps no other away.
apt_install() {
    local prefix
    if ! prefix="$(apt_prefix)"; then
        echo "apt may not be used here (needs Debian or Ubuntu, root or passwordless sudo, and DHCPCORE_NO_APT unset)" >&2
        return 1
    fi
    say "apt-get install $*"
    # The package lists of a fresh machine or an image are empty or old, so they are fetched first.
    # shellcheck disable=SC2086  # the prefix is two words
    timeout 300 $prefix apt-get -qq -o DPkg::Lock::Timeout=120 update || echo "apt-get update failed; trying the lists as they are" >&2
    # shellcheck disable=SC2086
    local install="timeout 600 $prefix env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends
        -o DPkg::Lock::Timeout=120 install" package status=0
    $install "$@" >/dev/null && return
    for package in "$@"; do
        $install "$package" >/dev/null || status=1
    done
    return "$status"
}

# python_is_new_enough PYTHON: it really starts (a pyenv shim may not) and is 3.11 or later.
python_is_new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

# python_can_make_venv PYTHON: Debian ships venv without ensurepip unless python3-venv is installed.
python_can_make_venv() {
    "$1" -c 'import ensurepip, venv; ensurepip.version()' >/dev/null 2>&1
}

# find_python prints the interpreter to build environments with: $PYTHON, or the newest supported one on PATH, those that can
# make an environment by themselves first. Of two with the same name the one below /usr: distributions and images build
# theirs for speed, which pyenv does only when told; everything here took a quarter longer with one of those.
find_python() {
    local candidate name found=""
    if [ -n "${PYTHON:-}" ]; then
        python_is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON does not start, or is older than 3.11"
        command -v "$PYTHON"
        return
    fi
    for name in python3.13 python3.12 python3.11 python3; do
        while read -r candidate; do
            python_is_new_enough "$candidate" || continue
            if python_can_make_venv "$candidate"; then
                echo "$candidate"
                return
            fi
            found="${found:-$candidate}"
        done < <(type -aP "$name" | grep '^/usr/'; type -aP "$name" | grep -v '^/usr/')
    done
    if [ -z "$found" ] && apt_install python3 python3-venv >&2 && python_is_new_enough python3; then
        found="$(command -v python3)"
    fi
    [ -n "$found" ] || fail "no Python 3.11 or later found. Install one (Debian, Ubuntu: apt install python3 python3-venv), or name one: make PYTHON=/path/to/python3"
    echo "$found"
}

# make_venv PYTHON DIRECTORY: a new environment with pip in it, also where the system's Python lacks ensurepip.
make_venv() {
    local python="$1" directory="$2" version
    rm -rf "$directory"
    if ! python_can_make_venv "$python"; then
        version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
        say "$python cannot make environments (no ensurepip)"
        apt_install "python$version-venv" || true
    fi
    if python_can_make_venv "$python" && "$python" -m venv "$directory"; then return; fi
    if "$python" -m virtualenv --version >/dev/null 2>&1 && "$python" -m virtualenv --quiet "$directory"; then return; fi
    # pip can install into an environment that has none.
    if "$python" -m pip --version >/dev/null 2>&1 && "$python" -m venv --without-pip "$directory" \
        && "$python" -m pip --disable-pip-version-check --python "$directory/bin/python" install --quiet pip; then return; fi
    rm -rf "$directory"
    fail "$python could not make an environment in $directory. Install its venv module (Debian, Ubuntu: apt install python3-venv) or virtualenv"
}
