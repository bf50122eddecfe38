#!/bin/sh
# Installs a program that pip does not bring, where that needs no question; never fails.
#   sh scripts/ensure_program.sh PROGRAM "DEBIAN PACKAGES" "OTHER PACKAGE" "what is done without it"

program=$1 packages=$2 other=$3 without=$4

command -v "$program" >/dev/null && exit 0

if command -v apt-get >/dev/null; then
    how="apt-get install $packages (as root)"
    if [ "$(id -u)" = 0 ]; then
        echo "Installing $packages with apt-get ..."
        export DEBIAN_FRONTEND=noninteractive
        quick="-o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30"
        # shellcheck disable=SC2086
        { apt-get $quick update && apt-get $quick install -y --no-install-recommends $packages; } \
            >/dev/null 2>&1
    fi
elif command -v brew >/dev/null; then
    how="brew install $other"
else
    how="conda install -c conda-forge $other, or your system's package manager"
fi

command -v "$program" >/dev/null || echo "No program \`$program\`: $without To have it: $how"
exit 0
