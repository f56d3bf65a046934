# frozen_string_literal: true

require "json"
require "stringio"
require_relative "rushlight_context"
require_relative "rushlight_errors"
require_relative "rushlight_handler"
require_relative "rushlight_log"
require_relative "rushlight_wire"

module Rushlight
  # The life of a runtime: loads the handler, then serves one invocation after the other.
  class Runtime
    # What the process ends with when something is wrong beyond a single invocation.
    HANDLER_FAILED = 255
    RUNTIME_FAILED = 254
    INIT_FAILED = 252

    def initialize
      @api = RuntimeApi.new(ENV.fetch("AWS_LAMBDA_RUNTIME_API"))
      Log.install(ENV.delete("_LAMBDA_TELEMETRY_LOG_FD"))
    end

    # Returns the status to exit with.
    def run(name)
      root = ENV.fetch("LAMBDA_TASK_ROOT", Dir.pwd)
      $LOAD_PATH.unshift(root) unless $LOAD_PATH.include?(root)
      handler = Handler.new(name)
      handler.load
      loop do
        status = serve(handler)
        return status if status
      end
    rescue SignalException
      # The platform wants the end.
      0
    rescue Exception => error # rubocop:disable Lint/RescueException
      failure = Failure.new(error, "Init")
      Log.failure("Init error when loading handler #{name}", failure)
      @api.init_error(failure)
      INIT_FAILED
    end

    private

    # Serves one invocation; a status if it was the last.
    def serve(handler)
      invocation = @api.next_invocation
      Log.request_id = invocation.request_id
      follow_trace(invocation["lambda-runtime-trace-id"])
      answer(handler, invocation)
    end

    def answer(handler, invocation)
      result = handler.call(event: event(invocation), context: Context.new(invocation))
      @api.response(invocation, *serialised(result))
      nil
    rescue RuntimeApi::Broken
      RUNTIME_FAILED
    rescue Exception => error # rubocop:disable Lint/RescueException
      failed(invocation, error)
    end

    # Errors that a program is not meant to go on after end the process, as the platform starts another.
    def failed(invocation, error)
      critical = error.is_a?(NameError) || !error.is_a?(StandardError)
      failure = Failure.new(error, "Function")
      Log.failure(critical ? "Critical exception from handler" : "Error raised from handler method", failure)
      @api.error(invocation, failure)
      critical ? HANDLER_FAILED : nil
    rescue RuntimeApi::Broken
      RUNTIME_FAILED
    end

    def event(invocation)
      return invocation.body unless invocation["content-type"] == "application/json"

      JSON.parse(invocation.body)
    end

    # What can be read is sent as it is, everything else as JSON.
    def serialised(result)
      case result
      when IO, StringIO then [result.read, "application/unknown"]
      else [result.to_json, "application/json"]
      end
    end

    def follow_trace(header)
      header ? ENV["_X_AMZN_TRACE_ID"] = header : ENV.delete("_X_AMZN_TRACE_ID")
    end
  end
end
