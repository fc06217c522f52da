#!/bin/sh
# Installs tou-scheduler from this clone: `sudo make install`, with PREFIX, BINDIR and PYTHON from the Makefile.
# Each installation is a folder of its own below PREFIX/releases; PREFIX/current is a link to one of them and is swapped
# in one step at the end. What fails before that, a power cut included, leaves the version in force as it is.
set -eu
umask 022  # the service's user must be able to read what root installs, whatever root's own habit

PREFIX=${PREFIX:-/opt/tou-scheduler}
BINDIR=${BINDIR:-/usr/local/bin}
CLONE=$(cd "$(dirname "$0")/.." && pwd)
# pip in an environment of its own needs no warning about root, and no look for a newer pip.
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore

fail() {
    echo "error: $*" >&2
    exit 1
}

old_enough() {
    "$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

case $PREFIX in
    /*[[:space:]]*) fail "PREFIX must be a path without spaces; it is '$PREFIX'" ;;
    /*) ;;
    *) fail "PREFIX must be a whole path, such as /opt/tou-scheduler; it is '$PREFIX'" ;;
esac
if [ -z "${PYTHON:-}" ]; then
    # A service may not read homes, where pyenv and others keep theirs: the system's own comes first.
    for PYTHON in /usr/bin/python3 /usr/local/bin/python3 python3 python3.13 python3.12 python3.11 ""; do
        if old_enough; then break; fi
    done
fi
[ -n "$PYTHON" ] && old_enough ||
    fail "Python 3.11 or later is needed${PYTHON:+; $PYTHON is none}. PYTHON=/path/to/it names one."
"$PYTHON" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "$PYTHON cannot make an environment of its own. On Debian and Raspberry Pi OS: apt install python3-venv"
# Some packages have no wheel for 32 bits. Python is asked, since Raspberry Pi OS has a kernel of 64 bits under programs of 32.
if ! "$PYTHON" -c 'import sys; sys.exit(sys.maxsize < 2**32)'; then
    case $(uname -m) in
        aarch64 | armv[78]*) ;;
        *) fail "this is a 32-bit system, and not all packages can be had for it. A 64-bit one is needed" ;;
    esac
    include=$("$PYTHON" -c 'import sysconfig; print(sysconfig.get_path("include"))')
    printf '#include <Python.h>\n#include <ffi.h>\n' | cc -E "-I$include" - >/dev/null 2>&1 ||
        fail "this is a 32-bit system, for which two packages must be compiled. Better set it up anew with the 64-bit" \
            "Raspberry Pi OS; or, with patience: apt install gcc libc6-dev libffi-dev python3-dev, and this once more"
fi
[ ! -e "$PREFIX/pyvenv.cfg" ] ||
    fail "$PREFIX was not made by make install. Remove it, or name another place with PREFIX=/opt/another"
mkdir -p "$PREFIX/releases" "$PREFIX/bin" "$BINDIR" 2>/dev/null && [ -w "$PREFIX/releases" ] && [ -w "$BINDIR" ] ||
    fail "$PREFIX and $BINDIR may be written by root only. Run it as root: sudo make install"
exec 9>"$PREFIX/.lock"
flock -n 9 || fail "another make install is under way in $PREFIX"
rm -f "$PREFIX/current.new"

aside=$(mktemp -d "$PREFIX/releases/aside.XXXXXX")
release=$PREFIX/releases/$(basename "$aside" | sed "s/^aside/$(date -u +%Y%m%dT%H%M%SZ)/")
trap 'rm -rf "$aside" "$release"' EXIT
trap 'exit 130' HUP INT TERM
chmod 755 "$aside"

# pip and what builds the package stay out of what is installed: it needs neither, and a Pi's card is small.
echo "Installing tou-scheduler with $("$PYTHON" --version); a Raspberry Pi takes some minutes ..."
"$PYTHON" -m venv "$aside"
pip="$aside/bin/python -m pip --quiet"
$pip install --require-hashes --no-compile -r "$CLONE/requirements-build.txt"
$pip wheel --no-deps --no-build-isolation --wheel-dir "$aside/wheel" "$CLONE"

"$PYTHON" -m venv --without-pip "$release"
$pip --python "$release/bin/python" install --require-hashes --no-compile -r "$CLONE/requirements.txt"
$pip --python "$release/bin/python" install --no-deps --no-index --no-compile "$aside"/wheel/*.whl
# The service may not write here, so that what is not compiled now would be compiled at each of its starts.
"$release/bin/python" -m compileall -q -j 0 "$release/lib"
version=$("$release/bin/tou-scheduler" version)
rm -rf "$aside"
sync -f "$release"

# Nothing below takes time. The version before stays, and each that runs: a daemon may load modules until its restart.
before=$(readlink "$PREFIX/current" || true)
ln -s "releases/${release##*/}" "$PREFIX/current.new"
mv -T "$PREFIX/current.new" "$PREFIX/current"
trap - EXIT
ln -sfn ../current/bin/tou-scheduler "$PREFIX/bin/tou-scheduler"
ln -sfn "$PREFIX/bin/tou-scheduler" "$BINDIR/tou-scheduler"
install -m 644 "$CLONE/README.md" "$PREFIX/README.md"
for it in "$PREFIX"/releases/*; do
    case $it in
        "$release" | "$PREFIX/$before") ;;
        *) grep -qsF "$it/" /proc/[0-9]*/maps || rm -rf "$it" ;;
    esac
done

echo "$version is installed in $PREFIX; $BINDIR/tou-scheduler is its command."
