#!/usr/bin/env bash
# Starts a server, deploys three functions with the AWS CLI, invokes each and shows result and log.
# Usage: run.sh RUSHLIGHT AWS [--keep]      (what ./dev demo calls; --keep leaves the server running)
# Ends in error if any step is not as expected.
set -euo pipefail
RUSHLIGHT=$1 AWS=$2 KEEP=${3:-}
EXAMPLES=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
WORK=$(mktemp -d)
chmod 755 "$WORK"
DATA=$WORK/data
SERVER=

say()  { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { printf '\033[31m%s\033[0m\n' "$*" >&2; cat "$WORK/server.log" >&2; exit 1; }
stop() {
  [ -z "$SERVER" ] || { kill "$SERVER" 2>/dev/null && wait "$SERVER" || true; }
  rm -rf "$WORK"
}
trap stop EXIT

say "Starting the server"
"$RUSHLIGHT" serve --listen 127.0.0.1:0 --data-dir "$DATA" > "$WORK/out" 2> "$WORK/server.log" &
SERVER=$!
for _ in $(seq 100); do
  grep -q "is listening on" "$WORK/out" && break
  kill -0 "$SERVER" 2>/dev/null || fail "the server ended:"
  sleep 0.1
done
ENDPOINT=$(sed -n 's/.*listening on //p' "$WORK/out")
[ -n "$ENDPOINT" ] || fail "the server did not say where it listens:"
cat "$WORK/out"
# Nothing of the user's own AWS configuration plays a part.
unset AWS_PROFILE AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY AWS_SESSION_TOKEN AWS_DEFAULT_REGION
export AWS_SHARED_CREDENTIALS_FILE=$DATA/credentials AWS_CONFIG_FILE=/dev/null AWS_REGION=us-east-1
export AWS_ENDPOINT_URL=$ENDPOINT AWS_PAGER=

# The newest runtime of a family whose interpreter is on this machine.
runtime() {
  "$RUSHLIGHT" doctor --json | python3 -c '
import json, sys
found = [r["identifier"] for r in json.load(sys.stdin)["runtimes"] if r["status"] == "found" and r["identifier"].startswith(sys.argv[1])]
number = lambda name: [int(part) for part in name.removeprefix(sys.argv[1]).split(".") if part.isdigit()]
print(max(found, key=number) if found else "")' "$1"
}

# deploy_and_invoke NAME RUNTIME HANDLER FILE EXPECTED
deploy_and_invoke() {
  local name=$1 runtime=$2 handler=$3 file=$4 expected=$5
  say "$name on $runtime"
  (cd "$(dirname "$file")" && python3 - "$WORK/$name.zip" "$(basename "$file")" <<'PYTHON'
import os, sys, zipfile
with zipfile.ZipFile(sys.argv[1], "w", zipfile.ZIP_DEFLATED) as archive:
    info = zipfile.ZipInfo.from_file(sys.argv[2])
    info.external_attr = 0o755 << 16
    archive.writestr(info, open(sys.argv[2], "rb").read(), zipfile.ZIP_DEFLATED)
PYTHON
  )
  "$AWS" lambda create-function --function-name "$name" --runtime "$runtime" --handler "$handler" \
    --role arn:aws:iam::000000000000:role/demo --zip-file "fileb://$WORK/$name.zip" --memory-size 256 \
    --query State --output text
  "$AWS" lambda wait function-active-v2 --function-name "$name"
  printf '{"name":"rushlight"}' > "$WORK/event.json"
  "$AWS" lambda invoke --function-name "$name" --payload "fileb://$WORK/event.json" --log-type Tail \
    --query '[FunctionError,LogResult]' --output text "$WORK/$name.json" > "$WORK/$name.out"
  local error log
  read -r error log < "$WORK/$name.out"
  printf 'result: %s\n' "$(cat "$WORK/$name.json")"
  printf '%s' "$log" | base64 -d | sed 's/^/log:    /'
  [ "$error" = None ] || fail "$name failed: $error"
  grep -q "$expected" "$WORK/$name.json" || fail "$name answered something else than '$expected':"
  printf '%s' "$log" | base64 -d | grep -q '^REPORT RequestId: .*Duration: .* ms' || fail "$name has no REPORT line:"
}

PYTHON=$(runtime python) NODE=$(runtime nodejs)
[ -n "$PYTHON" ] || fail "no Python that Lambda knows is on this machine; '$RUSHLIGHT doctor' says how to add one"
[ -n "$NODE" ] || fail "no Node.js that Lambda knows is on this machine; '$RUSHLIGHT doctor' says how to add one"
deploy_and_invoke hello-python "$PYTHON" hello.handler "$EXAMPLES/hello-python/hello.py" 'Hello, rushlight!'
deploy_and_invoke hello-nodejs "$NODE" index.handler "$EXAMPLES/hello-nodejs/index.mjs" 'Hello, rushlight!'
mkdir "$WORK/custom"
rustc --edition 2024 -O -C target-feature=+crt-static -o "$WORK/custom/bootstrap" \
  "$EXAMPLES/hello-custom-runtime/bootstrap.rs"
deploy_and_invoke hello-custom provided.al2023 unused "$WORK/custom/bootstrap" 'Hello from a custom runtime!'

say "The same without the AWS CLI"
"$RUSHLIGHT" functions --endpoint "$ENDPOINT" --data-dir "$DATA"
"$RUSHLIGHT" logs hello-python --endpoint "$ENDPOINT" --data-dir "$DATA"

say "Point your own tools here"
cat <<TEXT
  rushlight serve --data-dir ~/rushlight        # then, in another terminal:
  export AWS_ENDPOINT_URL=http://127.0.0.1:9000 AWS_REGION=us-east-1
  export AWS_SHARED_CREDENTIALS_FILE=~/rushlight/credentials
  aws lambda list-functions
TEXT
if [ "$KEEP" = --keep ]; then
  say "The server goes on at $ENDPOINT (credentials: $DATA/credentials). Ctrl-C ends it."
  wait "$SERVER"
fi
say "All three functions answered as expected."
