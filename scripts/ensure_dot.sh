#!/bin/sh
# Installs graphviz' program `dot` where that needs no question; never fails.

command -v dot >/dev/null && exit 0

if command -v apt-get >/dev/null; then
    how="apt-get install graphviz (as root)"
    if [ "$(id -u)" = 0 ]; then
        echo "Installing graphviz with apt-get ..."
        export DEBIAN_FRONTEND=noninteractive
        quick="-o Acquire::Retries=1 -o Acquire::http::Timeout=30 -o Acquire::https::Timeout=30"
        # shellcheck disable=SC2086
        { apt-get $quick update && apt-get $quick install -y --no-install-recommends graphviz; } \
            >/dev/null 2>&1
    fi
elif command -v brew >/dev/null; then
    how="brew install graphviz"
else
    how="conda install -c conda-forge graphviz, or your system's package manager"
fi

command -v dot >/dev/null ||
    echo "No program \`dot\`: graphs are drawn by the library's own layout. To have it: $how"
exit 0
