# frozen_string_literal: true

require "json"

module Rushlight
  # An exception as the platform and callers are told of it.
  class Failure
    # Classes that the platform is told by their name; all others are a user's.
    KNOWN = %w[ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit SystemStackError].freeze
    MOST_FRAMES = 100
    # What the X-Ray header may have at most, and how many frames go into it.
    CAUSE_BYTES = 1024 * 1024
    CAUSE_FRAMES = 15

    attr_reader :type

    # `phase`: `Init` or `Function`.
    def initialize(error, phase)
      @class_name = error.class.to_s
      @type = "#{phase}<#{@class_name}>"
      @message = error.message
      @frames = frames(error)
    end

    def header_type
      KNOWN.include?(@class_name) ? @type : "Function<UserException>"
    end

    def to_h
      { errorMessage: text(@message), errorType: @type, stackTrace: @frames.map { |frame| text(frame.to_s) } }
    end

    def to_json(*)
      JSON.generate(to_h)
    end

    # For X-Ray: nil where there would be too much of it.
    def cause
      stack = @frames.first(CAUSE_FRAMES).map { |frame| { path: frame.path, line: frame.lineno, label: frame.label } }
      exception = { message: text(@message), type: @type, stack: stack }
      paths = defined?(Gem) ? Gem.paths.path : []
      cause = JSON.generate({ working_directory: Dir.pwd, paths: paths, exceptions: [exception] })
      cause if cause.bytesize < CAUSE_BYTES
    end

    private

    # Down to where this client called.
    def frames(error)
      own = __dir__
      Array(error.backtrace_locations).first(MOST_FRAMES).take_while { |frame| !frame.to_s.start_with?(own) }
    end

    def text(value)
      value.to_s.encode("UTF-8", invalid: :replace, undef: :replace).scrub
    end
  end
end
