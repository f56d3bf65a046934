using System;
using System.Collections.Generic;
using System.IO;
using System.Net.Sockets;
using System.Text;

namespace Rushlight {
    /// <summary>The Runtime API over one connection that is kept.</summary>
    internal sealed class RuntimeApi {
        private const string Prefix = "/2018-06-01/runtime/";
        private const int CauseLimit = 1024 * 1024;

        private readonly string host;
        private readonly int port;
        private Socket socket;
        private Stream stream;

        internal RuntimeApi(string address) {
            var colon = address.LastIndexOf(':');
            host = address.Substring(0, colon);
            port = int.Parse(address.Substring(colon + 1));
        }

        internal Invocation Next() {
            var answer = Exchange("GET", "invocation/next", "", new byte[0]);
            if (answer.Status != 200) {
                throw new IOException("Failed to get next invocation. Response code: " + answer.Status);
            }
            return new Invocation(answer.Headers, answer.Body);
        }

        internal void Response(Invocation invocation, MemoryStream result) {
            Post("invocation/" + invocation.RequestId + "/response", Echoed(invocation), result.ToArray());
        }

        internal void Error(Invocation invocation, Exception failure) {
            Post("invocation/" + invocation.RequestId + "/error", Echoed(invocation) + Described(failure), Fault.Json(failure));
        }

        internal void InitError(Exception failure) {
            Post("init/error", Described(failure), Fault.Json(failure));
        }

        /// <summary>Waits from before the snapshot until after the restore.</summary>
        internal void RestoreNext() {
            var answer = Exchange("GET", "restore/next", "", new byte[0]);
            if (answer.Status != 200) {
                throw new IOException("Failed to wait for the restore. Response code: " + answer.Status);
            }
        }

        internal void HookError(string path, string type, Exception failure) {
            Post(path, "Lambda-Runtime-Function-Error-Type: " + type + "\r\n", Fault.Json(failure));
        }

        private static string Echoed(Invocation invocation) {
            var id = invocation.InvocationId;
            return id == null ? "" : "Lambda-Runtime-Invocation-Id: " + id + "\r\n";
        }

        private static string Described(Exception failure) {
            var fields = "Lambda-Runtime-Function-Error-Type: " + failure.GetType().Name + "\r\n";
            var cause = Fault.Cause(failure);
            return cause.Length < CauseLimit ? fields + "Lambda-Runtime-Function-XRay-Error-Cause: " + cause + "\r\n" : fields;
        }

        private void Post(string path, string fields, byte[] body) {
            var answer = Exchange("POST", path, "Content-Type: application/json\r\n" + fields, body);
            // A result that is too large is refused, and the caller has been told: the next may be smaller.
            if (answer.Status >= 500) {
                throw new IOException(path + " failed. Response code: " + answer.Status);
            }
        }

        private Answer Exchange(string method, string path, string fields, byte[] body) {
            if (socket == null) {
                socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                socket.Connect(host, port);
                stream = new BufferedStream(new NetworkStream(socket), 64 * 1024);
            }
            var head = method + " " + Prefix + path + " HTTP/1.1\r\nHost: " + host + ":" + port
                + "\r\nUser-Agent: rushlight-dotnet/" + Environment.Version + "\r\n" + fields
                + (method == "GET" ? "" : "Content-Length: " + body.Length + "\r\n") + "\r\n";
            var bytes = Encoding.UTF8.GetBytes(head);
            stream.Write(bytes, 0, bytes.Length);
            stream.Write(body, 0, body.Length);
            stream.Flush();
            var answer = Read();
            string connection;
            if (answer.Headers.TryGetValue("connection", out connection) && connection.ToLowerInvariant() == "close") {
                Disconnect();
            }
            return answer;
        }

        /// <summary>The next request makes a new connection.</summary>
        internal void Disconnect() {
            if (socket != null) {
                socket.Dispose();
                socket = null;
            }
        }

        private Answer Read() {
            var answer = new Answer { Status = int.Parse(Line().Split(' ')[1]) };
            for (var field = Line(); field.Length > 0; field = Line()) {
                var colon = field.IndexOf(':');
                answer.Headers[field.Substring(0, colon).ToLowerInvariant()] = field.Substring(colon + 1).Trim();
            }
            string length;
            answer.Headers.TryGetValue("content-length", out length);
            answer.Body = Bytes(length == null ? 0 : int.Parse(length));
            return answer;
        }

        private byte[] Bytes(int length) {
            var bytes = new byte[length];
            for (var read = 0; read < length;) {
                var count = stream.Read(bytes, read, length - read);
                if (count == 0) {
                    throw new EndOfStreamException("the Runtime API has closed the connection");
                }
                read += count;
            }
            return bytes;
        }

        private string Line() {
            var line = new MemoryStream();
            for (var next = stream.ReadByte(); next != '\n'; next = stream.ReadByte()) {
                if (next < 0) {
                    throw new EndOfStreamException("the Runtime API has closed the connection");
                }
                if (next != '\r') {
                    line.WriteByte((byte)next);
                }
            }
            return Encoding.UTF8.GetString(line.ToArray());
        }

        private sealed class Answer {
            internal int Status;
            internal byte[] Body;
            internal readonly Dictionary<string, string> Headers = new Dictionary<string, string>();
        }
    }
}
