#!/bin/sh
# Compiles the client: build.sh FRAMEWORK [FILE], where FRAMEWORK is a directory with the assemblies of .NET Core 3.1, which
# the client is made for so that every later version runs it. The committed one is client/Rushlight.Runtime.dll.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
framework=$1
file=${2:-$here/client/Rushlight.Runtime.dll}
references=
for name in System.Private.CoreLib System.Runtime System.Console System.Collections System.Linq System.Net.Sockets \
  System.Net.Primitives System.Reflection.DispatchProxy System.IO.FileSystem System.Runtime.Loader System.Runtime.Extensions System.IO \
  System.Text.Json System.Text.RegularExpressions System.Memory System.Threading.Tasks System.Diagnostics.StackTrace; do
  references="$references -r:$framework/$name.dll"
done
# shellcheck disable=SC2086
mcs -nologo -noconfig -nostdlib -nowarn:1685,1701,1702 -deterministic+ -optimize+ -target:exe -out:"$file" $references "$here"/source/*.cs
