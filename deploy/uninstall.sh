#!/bin/sh
# Removes what deploy/install.sh made, and nothing else: `sudo make uninstall`, with the same PREFIX and BINDIR.
# The service, its configuration and its memory are not ours here: `tou-scheduler service uninstall` is for those.
set -eu

PREFIX=${PREFIX:-/opt/tou-scheduler}
BINDIR=${BINDIR:-/usr/local/bin}
UNITS=${UNITS:-/etc/systemd/system}

fail() {
    echo "error: $*" >&2
    exit 1
}

[ -L "$PREFIX/current" ] && [ -d "$PREFIX/releases" ] || fail "there is no tou-scheduler of make install in $PREFIX"
[ -w "$PREFIX" ] && [ -w "$BINDIR" ] || fail "$PREFIX and $BINDIR may be written by root only. Run it as root: sudo make uninstall"
if grep -qsE "^ExecStart=($PREFIX/(bin|current/bin)|$BINDIR)/tou-scheduler " "$UNITS/tou-scheduler.service"; then
    fail "a service runs this program. First: sudo tou-scheduler service uninstall"
fi

if [ "$(readlink "$BINDIR/tou-scheduler" || true)" = "$PREFIX/bin/tou-scheduler" ]; then
    rm "$BINDIR/tou-scheduler"
fi
rm -rf "$PREFIX/current" "$PREFIX/current.new" "$PREFIX/releases" "$PREFIX/bin/tou-scheduler" "$PREFIX/README.md" "$PREFIX/.lock"
rmdir "$PREFIX/bin" "$PREFIX" 2>/dev/null || echo "$PREFIX holds other files, too; those stay."
echo "tou-scheduler is gone from $PREFIX."
