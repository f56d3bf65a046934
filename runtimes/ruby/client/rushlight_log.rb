# frozen_string_literal: true

require "json"
require "logger"

module Rushlight
  # What is said goes through the framed log descriptor where there is one, so that several lines stay one event.
  module Log
    class << self
      attr_accessor :request_id
      attr_reader :sink

      # `descriptor` as the environment has it, if it does.
      def install(descriptor)
        return unless descriptor

        @sink = Sink.new(IO.for_fd(descriptor.to_i, "wb", autoclose: false))
        Logger.prepend(Redirected)
        Kernel.module_eval do
          # Of several lines it is one event.
          define_method(:puts) { |*items| Log.puts(items) }
          private :puts
        end
      rescue SystemCallError, ArgumentError
        # Then it goes to standard output.
        @sink = nil
      end

      # What `puts` was given, as one event.
      def puts(items)
        lines = items.flatten.map { |item| item.to_s.encode("UTF-8", invalid: :replace, undef: :replace) }
        @sink.write(lines.join("\n"))
        nil
      end

      # A failure, for those who read the log.
      def failure(message, failure)
        say("#{message}\n")
        say("#{JSON.pretty_generate(failure.to_h)}\n")
      end

      private

      def say(text)
        @sink ? @sink.write(text.chomp) : $stdout.write(text)
      end
    end

    # One event with each writing.
    class Sink
      # A text without a level.
      TYPE = 0xa55a0003

      def initialize(file)
        @file = file
        @file.sync = true
      end

      def write(message)
        text = message.to_s
        micros = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)
        @file.write([TYPE, text.bytesize, micros].pack("L>L>Q>") << text.b)
      end

      def close; end
    end

    # Names the request in what a Logger writes.
    class Formatter < Logger::Formatter
      def call(severity, time, progname, message)
        line = format("%s, [%s #%d] %5s %s -- %s: %s\n", severity[0], format_datetime(time), Process.pid, severity,
                      Log.request_id, progname, msg2str(message))
        line.encode("UTF-8", invalid: :replace, undef: :replace)
      end
    end

    # Loggers that write to the console write events.
    module Redirected
      def initialize(device = nil, *arguments, **options)
        console = device.nil? || device.equal?($stdout) || device.equal?($stderr)
        super(console ? Log.sink : device, *arguments, **options)
        @default_formatter = Formatter.new if console
      end
    end
  end
end
