# frozen_string_literal: true

# Entry point of the Ruby runtime: finds the user's code, then serves invocations.

$stdout.sync = true
$stderr.sync = true

require_relative "rushlight_runtime"

exit(Rushlight::Runtime.new.run(ENV.fetch("_HANDLER", ARGV[0].to_s)))
