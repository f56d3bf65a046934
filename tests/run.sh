#!/usr/bin/env bash
# Runs all tests; ./dev test has installed what they need. Prints what each suite counted and, as the very last line,
# the sum. Arguments choose suites: rust, clients, api, commands, soak. None: all but the last, of which api has a part.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
ROOT=$PWD
TOOLS=$ROOT/target/tools
SUITES=${*:-rust clients api commands}
for suite in $SUITES; do
  case $suite in
    rust | clients | api | commands | soak) ;;
    *) echo "'$suite' is not a suite: there are rust, clients, api, commands and soak" >&2; exit 2 ;;
  esac
done
PASSED=0 FAILED=0 SKIPPED=0
REPORTS=$(mktemp -d)
trap 'rm -rf "$REPORTS"' EXIT

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

count() { # count SUITE PASSED FAILED SKIPPED STATUS
  local failed=$3
  # A suite that ended in error without a failed test counts as one: it was not run to its end.
  [ "$5" = 0 ] || [ "$failed" != 0 ] || failed=1
  echo "$1: $2 passed, $failed failed, $4 skipped"
  PASSED=$((PASSED + $2)) FAILED=$((FAILED + failed)) SKIPPED=$((SKIPPED + $4))
}

number() { # number WORD < text: the figure in front of WORD in the last summary line
  local found; found=$(grep -oE "[0-9]+ $1" | tail -1 | cut -d' ' -f1); echo "${found:-0}"
}

suite_rust() {
  say "Rust: unit, property, conformance and attack tests"
  cargo nextest run --locked --workspace 2>&1 | tee "$REPORTS/rust"
  local status=${PIPESTATUS[0]} summary
  summary=$(grep -E 'Summary \[' "$REPORTS/rust" | tail -1)
  # Tests that cannot run on this machine say so and pass: they are counted as skipped.
  local skipped; skipped=$(grep -c '^ *SKIPPED: ' "$REPORTS/rust")
  local passed; passed=$(number passed <<< "$summary")
  count rust $((passed - skipped)) $(($(number failed <<< "$summary") + $(number 'timed out' <<< "$summary"))) \
    "$skipped" "$status"
}

suite_clients() {
  say "Runtime clients: the scenario table against AWS' own clients"
  tests/runtime-clients/run.sh 2>&1 | tee "$REPORTS/clients"
  pytest_count clients "${PIPESTATUS[0]}"
}

suite_api() {
  say "The whole server, through boto3 and the AWS CLI"
  cargo build --locked --package rushlight-server || { count api 0 1 0 1; return; }
  # Two files at a time, each with servers of its own: most tests wait for something most of the time.
  (cd tests/api && "$TOOLS/test/bin/pytest" -q -rs --timeout 180 -n 2 --dist loadfile) 2>&1 | tee "$REPORTS/api"
  pytest_count api "${PIPESTATUS[0]}"
}

# A part of the suite above that can go on for long: RUSHLIGHT_SOAK says how long.
suite_soak() {
  say "A long life"
  cargo build --release --locked --package rushlight-server || { count soak 0 1 0 1; return; }
  (cd tests/api && RUSHLIGHT_BINARY=$ROOT/target/release/rushlight "$TOOLS/test/bin/pytest" -q -rsP test_soak.py) 2>&1 |
    tee "$REPORTS/soak"
  pytest_count soak "${PIPESTATUS[0]}"
}

# The demo, and every command that docs/performance.md names, in its quick form: that each runs to its end, not how fast.
suite_commands() {
  say "The documented commands"
  local passed=0 failed=0 command
  while read -r command; do
    echo "\$ $command"
    if bash -c "$command" > "$REPORTS/command" 2>&1 < /dev/null; then
      passed=$((passed + 1))
    else
      failed=$((failed + 1))
      cat "$REPORTS/command"
    fi
  done < <(echo ./dev demo; documented_benches)
  count commands "$passed" "$failed" 0 0
}

documented_benches() {
  sed -n '/^```sh$/,/^```$/p' docs/performance.md | grep '^./dev bench' | sed -e 's/ *#.*//' \
    -e "s|OTHER/rushlight|target/release/rushlight --only start|; s|before.json|$REPORTS/before.json|" \
    -e 's/ --check/ --only cold --function static&/' -e 's/ --quick//' -e 's/^.\/dev bench/& --quick/' | sort -u
}

pytest_count() { # pytest_count SUITE STATUS: from pytest's closing lines, of which there may be several
  local lines; lines=$(grep -E '^=*.*[0-9]+ (passed|failed|skipped|error).* in [0-9.]+s' "$REPORTS/$1")
  local passed=0 failed=0 skipped=0 line
  while read -r line; do
    passed=$((passed + $(number passed <<< "$line")))
    failed=$((failed + $(number failed <<< "$line") + $(number error <<< "$line")))
    skipped=$((skipped + $(number skipped <<< "$line")))
  done <<< "$lines"
  count "$1" "$passed" "$failed" "$skipped" "$2"
}

for suite in $SUITES; do
  "suite_$suite"
done
say "All suites"
echo "$PASSED passed, $FAILED failed, $SKIPPED skipped"
[ "$FAILED" = 0 ]
