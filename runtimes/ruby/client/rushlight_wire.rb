# frozen_string_literal: true

require "socket"

module Rushlight
  # One event with the headers that came with it.
  Invocation = Struct.new(:headers, :body) do
    # By a name in lower case.
    def [](name)
      headers[name]
    end

    def request_id
      headers["lambda-runtime-aws-request-id"]
    end
  end

  # The Runtime API over one connection, which is opened again when it has gone.
  #
  # See "Using the Lambda runtime API for custom runtimes" in the AWS Lambda developer guide.
  class RuntimeApi
    # The platform does not answer as it should: there is no going on.
    class Broken < StandardError; end

    BASE = "/2018-06-01/runtime"
    JSON_TYPE = "application/json"

    def initialize(address)
      @host, _, @port = address.rpartition(":")
      @address = address
    end

    # Waits for as long as it takes.
    def next_invocation
      status, headers, body = exchange("GET", "#{BASE}/invocation/next")
      raise Broken, "Received #{status} when waiting for next invocation." unless status == 200

      Invocation.new(headers, body.force_encoding(Encoding::UTF_8))
    end

    def response(invocation, body, content_type)
      exchange("POST", path(invocation, "response"), body, echo(invocation).merge("Content-Type" => content_type))
    end

    def error(invocation, failure)
      headers = echo(invocation).merge(error_headers(failure))
      cause = failure.cause
      headers["Lambda-Runtime-Function-XRay-Error-Cause"] = cause if cause
      exchange("POST", path(invocation, "error"), failure.to_json, headers)
    end

    def init_error(failure)
      exchange("POST", "#{BASE}/init/error", failure.to_json, error_headers(failure))
    end

    private

    def path(invocation, what)
      "#{BASE}/invocation/#{invocation.request_id}/#{what}"
    end

    def echo(invocation)
      attempt = invocation["lambda-runtime-invocation-id"]
      attempt ? { "Lambda-Runtime-Invocation-Id" => attempt } : {}
    end

    def error_headers(failure)
      { "Content-Type" => JSON_TYPE, "Lambda-Runtime-Function-Error-Type" => failure.header_type }
    end

    def exchange(method, path, body = nil, headers = {})
      socket = (@socket ||= TCPSocket.new(@host, @port.to_i).tap { |new| new.setsockopt(:TCP, :NODELAY, 1) })
      socket.write(head(method, path, body, headers) << body.to_s.b)
      answer = read(socket)
      disconnect if answer[1]["connection"] == "close"
      answer
    rescue SystemCallError, IOError => error
      disconnect
      raise Broken, error.message
    end

    def head(method, path, body, headers)
      lines = ["#{method} #{path} HTTP/1.1", "Host: #{@address}", "User-Agent: rushlight-ruby/#{RUBY_VERSION}"]
      headers.each { |name, value| lines << "#{name}: #{value.to_s.delete("\r\n")}" }
      lines << "Content-Length: #{body.to_s.bytesize}" if body
      "#{lines.join("\r\n")}\r\n\r\n".b
    end

    def read(socket)
      status = line(socket).split(" ", 3)[1].to_i
      headers = {}
      until (text = line(socket)).empty?
        name, value = text.split(":", 2)
        headers[name.downcase] = value.to_s.strip
      end
      [status, headers, body(socket, headers)]
    end

    def line(socket)
      text = socket.gets("\r\n") or raise Broken, "the connection was closed"
      text.chomp("\r\n")
    end

    def body(socket, headers)
      return chunks(socket) if headers["transfer-encoding"] == "chunked"

      exactly(socket, headers["content-length"].to_i)
    end

    def chunks(socket)
      whole = String.new
      while (size = line(socket).to_i(16)).positive?
        whole << exactly(socket, size)
        line(socket)
      end
      line(socket)
      whole
    end

    def exactly(socket, length)
      return String.new if length.zero?

      bytes = socket.read(length)
      raise Broken, "the connection was closed" if bytes.nil? || bytes.bytesize < length

      bytes
    end

    def disconnect
      @socket&.close
      @socket = nil
    end
  end
end
