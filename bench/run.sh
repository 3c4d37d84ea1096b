#!/bin/sh
# Builds labnet, and measures it beside every other tool that is installed.
#
# Usage: bench/run.sh [-quick] [FLAG…]        bench/run.sh -help lists the flags
set -eu
cd "$(dirname "$0")"
exec go run . "$@"
