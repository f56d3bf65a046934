# frozen_string_literal: true

require "json"
require "logger"

module Rushlight
  # What is said goes through the framed log descriptor where there is one, so that several lines stay one event.
  module Log
    # Earlier runtimes write text, whatever the function's configuration says.
    JSON_SINCE = 4
    LEVELS = { "TRACE" => Logger::DEBUG, "DEBUG" => Logger::DEBUG, "INFO" => Logger::INFO, "WARN" => Logger::WARN,
               "ERROR" => Logger::ERROR, "FATAL" => Logger::FATAL }.freeze

    class << self
      attr_accessor :request_id
      attr_reader :sink, :level

      # `descriptor` as the environment has it, if it does.
      def install(descriptor)
        @json = JSON_SINCE <= ENV["AWS_EXECUTION_ENV"].to_s[/\d+/].to_i && ENV["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
        @level = LEVELS[ENV["AWS_LAMBDA_LOG_LEVEL"]] if @json
        Logger.prepend(Redirected)
        take(descriptor) if descriptor
      end

      def json? = @json

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

      def take(descriptor)
        @sink = Sink.new(IO.for_fd(descriptor.to_i, "wb", autoclose: false))
        Kernel.module_eval do
          # Of several lines it is one event.
          define_method(:puts) { |*items| Log.puts(items) }
          private :puts
        end
      rescue SystemCallError, ArgumentError
        # Then it goes to standard output.
        @sink = nil
      end

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

    # An object for each message.
    class JsonFormatter < Logger::Formatter
      def call(severity, time, progname, message)
        entry = { timestamp: time.utc.strftime("%Y-%m-%dT%H:%M:%S.%6NZ"), level: severity, message: text(message),
                  requestId: Log.request_id, logger: progname, **details(message) }
        "#{JSON.generate(entry.compact)}\n"
      end

      private

      def text(message)
        said = message.is_a?(Exception) ? message.message : msg2str(message)
        said.encode("UTF-8", invalid: :replace, undef: :replace)
      end

      # What an exception has besides its message.
      def details(message)
        return {} unless message.is_a?(Exception)

        { errorType: message.class.to_s, errorMessage: text(message), stackTrace: message.backtrace || [],
          location: location(message) }
      end

      # `file:method:line` of where it was raised.
      def location(error)
        first = error.backtrace&.first
        place = first&.match(/\A(.+):(\d+):in [`'](.+)'\z/)
        place ? [place[1], place[3], place[2]].join(":") : first
      end
    end

    # Loggers that write to the console write events, from the level of the function's configuration on.
    module Redirected
      def initialize(device = nil, *arguments, **options)
        console = device.nil? || device.equal?($stdout) || device.equal?($stderr)
        options[:level] ||= Log.level if console && Log.level
        super(console ? Log.sink || device : device, *arguments, **options)
        @default_formatter = Log.json? ? JsonFormatter.new : Formatter.new if console
      end
    end
  end
end
