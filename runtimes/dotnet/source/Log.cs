using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading;
using Microsoft.Win32.SafeHandles;

namespace Rushlight {
    /// <summary>What is logged: lines of the console and of the function's logger, as text or as JSON, from a level on.</summary>
    internal sealed class Log {
        private static readonly string[] Levels = { "Trace", "Debug", "Information", "Warning", "Error", "Critical" };
        private static readonly string[] Labels = { "trce", "dbug", "info", "warn", "fail", "crit" };
        private const int Information = 2;
        internal const string Error = "Error";

        private readonly Stream sink;
        private readonly bool isFramed;
        private readonly bool isJson;
        private readonly int minimum;
        private readonly bool isOfSeveral = Variable("AWS_LAMBDA_MAX_CONCURRENCY") != "";
        // Of whatever the handler does, where several are served at once; of the whole process otherwise.
        private readonly AsyncLocal<Invocation> ofCaller = new AsyncLocal<Invocation>();
        private Invocation ofProcess;

        private Log(Stream sink, bool isFramed) {
            this.sink = sink;
            this.isFramed = isFramed;
            isJson = Variable("AWS_LAMBDA_LOG_FORMAT").ToUpperInvariant() == "JSON";
            var level = Index(Variable("AWS_LAMBDA_HANDLER_LOG_LEVEL"));
            minimum = level ?? Index(Named(Variable("AWS_LAMBDA_LOG_LEVEL"))) ?? Information;
        }

        /// <summary>Takes over the console.</summary>
        internal static Log Open() {
            int descriptor;
            var isFramed = int.TryParse(Variable("_LAMBDA_TELEMETRY_LOG_FD"), out descriptor);
            var sink = isFramed
                ? new FileStream(new SafeFileHandle((IntPtr)descriptor, false), FileAccess.Write, 1)
                : Console.OpenStandardOutput();
            Environment.SetEnvironmentVariable("_LAMBDA_TELEMETRY_LOG_FD", null);
            var log = new Log(sink, isFramed);
            Console.SetOut(new Lines(log, Levels[Information]));
            Console.SetError(new Lines(log, Error));
            return log;
        }

        internal void Begin(Invocation next) {
            ofProcess = next;
            ofCaller.Value = next;
        }

        /// <summary>Logs a message; without a level, whatever is wanted.</summary>
        internal void Write(string level, string message, Exception failure = null) {
            var index = level == null ? null : Index(level);
            if (index < minimum) {
                return;
            }
            var now = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ss.fffZ");
            var label = index == null ? level : Labels[index.Value];
            var line = isJson
                ? Json(now, index == null ? Levels[Information] : Levels[index.Value], message, failure)
                : string.Join("\t", new[] { now, RequestId, label, message ?? "" }.Where(part => part != null))
                    + (failure == null ? "" : "\n" + failure);
            Put(Encoding.UTF8.GetBytes(isFramed ? line : line + "\n"), index ?? Information);
        }

        private Invocation Current {
            get { return isOfSeveral ? ofCaller.Value : ofProcess; }
        }

        private string RequestId {
            get { return Current == null ? "" : Current.RequestId; }
        }

        private string Json(string now, string level, string message, Exception failure) {
            using (var bytes = new MemoryStream()) {
                using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions())) {
                    writer.WriteStartObject();
                    writer.WriteString("timestamp", now);
                    writer.WriteString("level", level);
                    writer.WriteString("requestId", RequestId);
                    if (Current != null && Current.TraceId != null) {
                        writer.WriteString("traceId", Current.TraceId);
                    }
                    if (Current != null && Current.TenantId != null) {
                        writer.WriteString("tenantId", Current.TenantId);
                    }
                    writer.WriteString("message", message);
                    if (failure != null) {
                        writer.WriteString("errorType", failure.GetType().FullName);
                        writer.WriteString("errorMessage", failure.Message);
                        writer.WriteStartArray("stackTrace");
                        Fault.Trace(failure).ToList().ForEach(writer.WriteStringValue);
                        writer.WriteEndArray();
                    }
                    writer.WriteEndObject();
                }
                return Encoding.UTF8.GetString(bytes.ToArray());
            }
        }

        private void Put(byte[] line, int level) {
            lock (sink) {
                if (isFramed) {
                    var frame = new MemoryStream(16 + line.Length);
                    var kind = (isJson ? 0xa55a0002u : 0xa55a0003u) | (uint)(level + 1) << 2;
                    Big(frame, kind, 4);
                    Big(frame, (ulong)line.Length, 4);
                    Big(frame, (ulong)(DateTimeOffset.UtcNow.ToUnixTimeMilliseconds() * 1000), 8);
                    frame.Write(line, 0, line.Length);
                    line = frame.ToArray();
                }
                sink.Write(line, 0, line.Length);
                sink.Flush();
            }
        }

        private static void Big(Stream stream, ulong value, int bytes) {
            for (var shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
                stream.WriteByte((byte)(value >> shift));
            }
        }

        private static string Variable(string name) {
            return Environment.GetEnvironmentVariable(name) ?? "";
        }

        /// <summary>What the service calls a level, in .NET's words.</summary>
        private static string Named(string level) {
            switch (level.ToUpperInvariant()) {
                case "INFO": return "Information";
                case "WARN": return "Warning";
                case "FATAL": return "Critical";
                default: return level;
            }
        }

        private static int? Index(string level) {
            var index = Array.FindIndex(Levels, known => string.Equals(known, level, StringComparison.OrdinalIgnoreCase));
            return index < 0 ? (int?)null : index;
        }

        /// <summary>A console whose lines are logged; what is no line yet waits for its end.</summary>
        private sealed class Lines : TextWriter {
            private readonly Log log;
            private readonly string level;
            private readonly StringBuilder begun = new StringBuilder();

            internal Lines(Log log, string level) {
                this.log = log;
                this.level = level;
            }

            public override Encoding Encoding { get { return Encoding.UTF8; } }

            public override void Write(char value) {
                lock (begun) {
                    if (value != '\n') {
                        begun.Append(value);
                        return;
                    }
                }
                WriteLine("");
            }

            public override void WriteLine(string value) {
                string line;
                lock (begun) {
                    line = begun + value;
                    begun.Clear();
                }
                log.Write(level, line);
            }

            public override void WriteLine(object value) {
                WriteLine(Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture));
            }

            public override void WriteLine() {
                WriteLine("");
            }

            public override void Flush() {
                string line;
                lock (begun) {
                    line = begun.ToString();
                    begun.Clear();
                }
                if (line.Length > 0) {
                    log.Write(level, line);
                }
            }
        }
    }
}
