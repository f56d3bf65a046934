# Does what its event asks for: one of the scenarios of test_every_runtime.py.
raise "as asked" if ENV["FAIL"]

def described(event, context)
  {
    event: event,
    environment: ENV.to_h,
    request: context.aws_request_id,
    name: context.function_name,
    version: context.function_version,
    arn: context.invoked_function_arn,
    memory: context.memory_limit_in_mb.to_i,
    group: context.log_group_name,
    stream: context.log_stream_name,
    remaining: context.get_remaining_time_in_millis,
    runtime: RUBY_VERSION[/\d+\.\d+/],
    machine: RUBY_PLATFORM[/\w+/],
  }
end

def handler(event:, context:)
  case event["do"]
  when "raise" then raise KeyError, "as asked"
  when "exit" then exit!(3)
  when "sleep" then sleep(30)
  when "memory"
    kept = []
    loop { kept << "x" * (1 << 24) }
  when "large" then return "x" * event["size"]
  when "say"
    puts "printed"
    require "logger"
    Logger.new($stdout).info("logged")
  when "layer"
    require "of_layer"
    return OF_LAYER
  end
  described(event, context)
end
