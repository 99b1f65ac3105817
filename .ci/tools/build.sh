#!/usr/bin/env bash
# Builds the programs of others that the tests run, each from the exact versions in its folder here (a nested Go module
# with a tool directive, a package-lock.json, or a requirements.txt), into a cache outside the tree:
#
#     $PROVENANCE_TOOLS (default ~/.cache/provenance-tools) / NAME-KEY / NAME
#
# KEY is the beginning of the lock file's sha256, with the tool's own main.go behind it if there is one: whoever changes a version gets
# another folder. What is there is left
# alone; what is new appears in one rename, so that several builds may run at the same time.
# provenance/internal/testtools finds the programs by the same rule.
#
# usage: build.sh [NAME...]    (default: all but those that only the bench runs; prints the folder of each)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cache=${PROVENANCE_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/provenance-tools}
mkdir -p "$cache"
staging=$(mktemp -d "$cache/.staging-XXXXXX")
trap 'rm -rf "$staging"' EXIT

sum() { if command -v sha256sum >/dev/null; then sha256sum; else shasum -a 256; fi }

# key FOLDER LOCK
key() {
    local files=("$1/$2")
    if [ -f "$1/main.go" ]; then files+=("$1/main.go"); fi
    cat "${files[@]}" | sum | cut -c1-16
}

need() {
    command -v "$1" >/dev/null || { echo "build.sh: $1 is not installed; the tests need it" >&2; exit 1; }
}

# install NAME TARGET: puts the staged folder in its place, unless somebody was faster.
install() {
    [ -d "$2" ] || mv "$staging/$1" "$2" 2>/dev/null || [ -d "$2" ]
}

build_go() {
    local package
    need go
    package=$(sed -n 's/^tool //p' "$1/go.mod")
    (cd "$1" && CGO_ENABLED=0 go build -mod=readonly -buildvcs=false -trimpath -ldflags='-s -w' \
        -o "$staging/$1/$1$(go env GOEXE)" "$package")
}

build_npm() {
    need node
    need npm
    mkdir "$staging/$1"
    cp "$1/package.json" "$1/package-lock.json" "$1/.npmrc" "$staging/$1/"
    (cd "$staging/$1" && npm ci --omit=dev --ignore-scripts --loglevel=error >&2)
}

# build_python makes a folder for PYTHONPATH, which may be moved, as a venv may not.
build_python() {
    need python3
    python3 -m pip --disable-pip-version-check --quiet install --no-deps --require-hashes --no-compile --target "$staging/$1" -r "$1/requirements.txt" >&2
}

build() {
    local lock=go.mod make=build_go target
    if [ -f "$1/package-lock.json" ]; then lock=package-lock.json make=build_npm; fi
    if [ -f "$1/requirements.txt" ]; then lock=requirements.txt make=build_python; fi
    [ -f "$1/$lock" ] || { echo "build.sh: no tool $1 here" >&2; exit 1; }
    target="$cache/$1-$(key "$1" "$lock")"
    if [ ! -d "$target" ]; then
        echo "building $1" >&2
        "$make" "$1"
        install "$1" "$target"
    fi
    echo "$target"
}

if [ $# = 0 ]; then
    for name in */; do
        [ "$name" = rclone/ ] || set -- "$@" "$name"
    done
fi
for name; do
    build "${name%/}"
done
