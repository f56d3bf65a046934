#!/bin/sh
# Compiles the client into one archive: build.sh [ARCHIVE]. The committed one is client/rushlight-runtime.jar.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
archive=${1:-$here/client/rushlight-runtime.jar}
classes=$(mktemp -d)
trap 'rm -rf "$classes"' EXIT
# -proc:none and -g: the same bytes from every compiler that can still compile for Java 8.
javac --release 8 -Xlint:-options -proc:none -g:source,lines -d "$classes" $(find "$here/source" -name '*.java' | sort)
mkdir -p "$(dirname "$archive")" "$classes/META-INF"
# The log's descriptor has a number, and nothing but the inside of java.io makes a stream of that.
printf 'Manifest-Version: 1.0\r\nMain-Class: rushlight.Main\r\nAdd-Opens: java.base/java.io\r\n\r\n' > "$classes/META-INF/MANIFEST.MF"
cd "$classes"
rm -f "$archive"
find . -type f | sort | sed 's|^\./||' | TZ=UTC xargs touch -d 2026-01-01T00:00:00
find . -type f | sort | sed 's|^\./||' | TZ=UTC zip -X -q -9 "$archive" -@
