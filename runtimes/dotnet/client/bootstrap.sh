#!/bin/sh
# Starts .NET, whose path is $1, on the function that _HANDLER names, as AWS does: with the .deps.json and the
# .runtimeconfig.json that its package has.
root=${LAMBDA_TASK_ROOT:-/var/task}
export DOTNET_ROOT="${1%/*}"

fail() { # STATUS MESSAGE
  echo "Error: $2" >&2
  exit "$1"
}

# The file of that kind that is the function's, or the only one.
of_function() { # KIND STATUS
  file=$root/$assembly.$1
  if [ ! -f "$file" ]; then
    found=0
    for file in "$root"/*."$1"; do
      [ ! -f "$file" ] || found=$((found + 1))
    done
    [ $found = 1 ] || fail "$2" ".NET binaries for Lambda function are not correctly installed in the $root directory of the image when the image was built. The $root directory is missing the required .$1 file."
  fi
}

[ -n "$_HANDLER" ] || fail 103 "No Lambda Handler function was specified."
case $_HANDLER in
*::*)
  assembly=${LAMBDA_DOTNET_MAIN_ASSEMBLY:-${_HANDLER%%::*}}
  assembly=${assembly%.dll}
  of_function deps.json 105
  deps=$file
  of_function runtimeconfig.json 106
  set -- "$1" exec --depsfile "$deps" --runtimeconfig "$file" "${LAMBDA_RUNTIME_DIR:-/var/runtime}/Rushlight.Runtime.dll" "$_HANDLER"
  ;;
*)
  # An executable assembly, which brings the client, or a program.
  if [ -f "$root/${_HANDLER%.dll}.dll" ]; then
    set -- "$1" exec "$root/${_HANDLER%.dll}.dll"
  elif [ -f "$root/$_HANDLER" ]; then
    set -- "$root/$_HANDLER"
  else
    fail 104 "executable assembly $root/${_HANDLER%.dll}.dll or binary $root/$_HANDLER not found."
  fi
  ;;
esac

wrapper=$AWS_LAMBDA_EXEC_WRAPPER
[ -n "$wrapper" ] || exec "$@"
if [ ! -f "$wrapper" ]; then
  echo "$wrapper: does not exist"
  exit 127
fi
if [ ! -x "$wrapper" ]; then
  echo "$wrapper: is not an executable"
  exit 126
fi
exec "$wrapper" "$@"
