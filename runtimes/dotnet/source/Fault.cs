using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;

namespace Rushlight {
    /// <summary>The function is not as it is configured: there is nothing more to be said than this.</summary>
    internal sealed class LambdaValidationException : Exception {
        internal LambdaValidationException(string message) : base(message) {}
    }

    /// <summary>What went wrong, for the caller and for X-Ray.</summary>
    internal static class Fault {
        private const int Limit = 256 * 1024;
        /// <summary>What is between a call by reflection and what it calls.</summary>
        private static readonly string[] Calls = { "at System.Reflection.", "at System.RuntimeMethodHandle.", "at InvokeStub_" };

        /// <summary>What the caller gets.</summary>
        internal static byte[] Json(Exception failure) {
            var json = Written(writer => Write(writer, failure));
            if (json.Length <= Limit) {
                return json;
            }
            return Encoding.UTF8.GetBytes("{\"errorMessage\": \"Exception exceeded maximum payload size of 256KB.\"}");
        }

        /// <summary>What X-Ray gets, in one line.</summary>
        internal static string Cause(Exception failure) {
            var frames = new StackTrace(failure, true).GetFrames() ?? new StackFrame[0];
            return Encoding.UTF8.GetString(Written(writer => {
                writer.WriteStartObject();
                writer.WriteString("working_directory", Directory.GetCurrentDirectory());
                writer.WriteStartArray("exceptions");
                writer.WriteStartObject();
                writer.WriteString("type", failure.GetType().Name);
                writer.WriteString("message", failure.Message);
                writer.WriteStartArray("stack");
                foreach (var frame in frames) {
                    var method = frame.GetMethod();
                    writer.WriteStartObject();
                    writer.WriteString("path", frame.GetFileName());
                    writer.WriteNumber("line", frame.GetFileLineNumber());
                    writer.WriteString("label", method == null ? "" : method.DeclaringType + "." + method.Name);
                    writer.WriteEndObject();
                }
                writer.WriteEndArray();
                writer.WriteEndObject();
                writer.WriteEndArray();
                writer.WriteStartArray("paths");
                foreach (var path in frames.Select(frame => frame.GetFileName()).Where(path => path != null).Distinct()) {
                    writer.WriteStringValue(path);
                }
                writer.WriteEndArray();
                writer.WriteEndObject();
            }));
        }

        /// <summary>The lines of an exception's trace.</summary>
        internal static IEnumerable<string> Trace(Exception failure) {
            var lines = (failure.StackTrace ?? "").Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0).ToList();
            // How it came to the handler is of no interest.
            var ours = lines.FindIndex(line => line.StartsWith("at Rushlight."));
            if (ours < 0) {
                return lines;
            }
            while (ours > 0 && Calls.Any(lines[ours - 1].StartsWith)) {
                ours--;
            }
            return lines.Take(ours);
        }

        private static void Write(Utf8JsonWriter writer, Exception failure) {
            writer.WriteStartObject();
            writer.WriteString("errorType", failure.GetType().Name);
            writer.WriteString("errorMessage", failure.Message);
            var trace = failure is LambdaValidationException ? new List<string>() : Trace(failure).ToList();
            if (trace.Count > 0) {
                writer.WriteStartArray("stackTrace");
                trace.ForEach(writer.WriteStringValue);
                writer.WriteEndArray();
            }
            if (failure.InnerException != null) {
                writer.WritePropertyName("cause");
                Write(writer, failure.InnerException);
            }
            var several = failure as AggregateException;
            if (several != null) {
                writer.WriteStartArray("causes");
                foreach (var one in several.InnerExceptions) {
                    Write(writer, one);
                }
                writer.WriteEndArray();
            }
            writer.WriteEndObject();
        }

        private static byte[] Written(Action<Utf8JsonWriter> write) {
            using (var bytes = new MemoryStream()) {
                using (var writer = new Utf8JsonWriter(bytes, new JsonWriterOptions())) {
                    write(writer);
                }
                return bytes.ToArray();
            }
        }
    }
}
