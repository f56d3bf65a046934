# frozen_string_literal: true

require "json"

# What a handler is told of its invocation. Named as in AWS' client, since programs name it.
class LambdaContext
  attr_reader :aws_request_id, :invoked_function_arn, :log_group_name, :log_stream_name, :function_name,
              :memory_limit_in_mb, :function_version, :identity, :client_context, :deadline_ms, :tenant_id

  def initialize(invocation)
    # The clock of the deadline, which nobody sets in between.
    @offset = now(Process::CLOCK_REALTIME) - now(Process::CLOCK_MONOTONIC)
    @deadline_ms = invocation["lambda-runtime-deadline-ms"].to_i
    @aws_request_id = invocation.request_id
    @invoked_function_arn = invocation["lambda-runtime-invoked-function-arn"]
    @tenant_id = invocation["lambda-runtime-aws-tenant-id"]
    @identity = parsed(invocation["lambda-runtime-cognito-identity"])
    @client_context = parsed(invocation["lambda-runtime-client-context"])
    @log_group_name = ENV["AWS_LAMBDA_LOG_GROUP_NAME"]
    @log_stream_name = ENV["AWS_LAMBDA_LOG_STREAM_NAME"]
    @function_name = ENV["AWS_LAMBDA_FUNCTION_NAME"]
    @memory_limit_in_mb = ENV["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
    @function_version = ENV["AWS_LAMBDA_FUNCTION_VERSION"]
  end

  def get_remaining_time_in_millis # rubocop:disable Naming/AccessorMethodName
    [@deadline_ms - now(Process::CLOCK_MONOTONIC) - @offset, 0].max
  end

  private

  def now(clock)
    Process.clock_gettime(clock, :millisecond)
  end

  def parsed(header)
    JSON.parse(header) if header
  end
end

module Rushlight
  Context = LambdaContext
end
