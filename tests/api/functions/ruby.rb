# Does what its event asks for.
require "json"
require "logger"
require "stringio"

raise "at import" if ENV["FAIL"] == "import"
exit(7) if ENV["FAIL"] == "exit"

LOGGER = Logger.new($stdout)

class Unusual < StandardError; end

class Several
  def self.handler(event:, context:)
    "of a class: #{event["word"]}"
  end
end

module Nested
  class Inner
    def self.handler(event:, context:)
      "of a nested class"
    end
  end
end

def handler(event:, context:)
  case event["do"]
  when "environment" then ENV.to_h
  when "context" then of(context)
  when "error" then raise ArgumentError, "as asked"
  when "unusual" then raise Unusual, "a user's own: \u00fc"
  when "undefined" then no_such_name
  when "exception" then raise NotImplementedError, "not a standard error"
  when "quit" then exit(3)
  when "exit" then exit!(5)
  when "sleep" then sleep(event["seconds"])
  when "memory" then kept = Array.new(4000) { "x" * 1_000_000 }; kept.size
  when "large" then "x" * event["bytes"]
  when "bytes" then StringIO.new("\x00\xff".b)
  when "infinite" then Float::INFINITY
  when "nothing" then nil
  when "say" then say
  when "layer" then require "of_layer"; OF_LAYER
  when "gem" then require "of_gem"; OfGem::NAME
  else event
  end
end

def of(context)
  names = %i[aws_request_id invoked_function_arn log_group_name log_stream_name function_name memory_limit_in_mb
             function_version identity client_context deadline_ms]
  names.to_h { |name| [name, context.public_send(name)] }.merge(left: context.get_remaining_time_in_millis)
end

def say
  puts "one", "event"
  print "printed\n"
  LOGGER.debug("quiet")
  LOGGER.info("two\nlines")
  LOGGER.error(ArgumentError.new("logged"))
  warn "warned"
  $stdout.puts "straight"
  "said"
end
