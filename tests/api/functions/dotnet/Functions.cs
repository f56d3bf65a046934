using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Threading;
using System.Threading.Tasks;
using Amazon.Lambda.Core;

[assembly: LambdaSerializer(typeof(Example.Json))]

namespace Example {
    public class Json : ILambdaSerializer {
        public T Deserialize<T>(Stream requestStream) {
            using (var bytes = new MemoryStream()) {
                requestStream.CopyTo(bytes);
                return bytes.Length == 0 ? default(T) : JsonSerializer.Deserialize<T>(bytes.ToArray());
            }
        }

        public void Serialize<T>(T response, Stream responseStream) {
            var bytes = JsonSerializer.SerializeToUtf8Bytes(response, typeof(T), null);
            responseStream.Write(bytes, 0, bytes.Length);
        }
    }

    public class Order {
        public string Id { get; set; }
        public List<Line> Lines { get; set; }
        public decimal Total { get; set; }
    }

    public class Line {
        public string Item { get; set; }
        public decimal Price { get; set; }
    }

    public class Refused : Exception {
        public Refused(string message, Exception cause) : base(message, cause) {}
    }

    public class Functions {
        private static readonly string AtInit = Guid.NewGuid().ToString();
        private static readonly List<string> Course = new List<string>();

        public Functions() {
            if (Environment.GetEnvironmentVariable("FAIL") == "init") {
                throw new InvalidOperationException("as asked");
            }
            foreach (var name in new[] { "first", "last" }) {
                SnapshotRestore.RegisterBeforeSnapshot(() => Note("before: " + name));
                SnapshotRestore.RegisterAfterRestore(() => Note("after: " + name));
            }
        }

        private static ValueTask Note(string what) {
            if (Environment.GetEnvironmentVariable("FAIL") == what) {
                throw new InvalidOperationException("as asked");
            }
            Course.Add(what);
            return new ValueTask();
        }

        public Order Orders(Order order, ILambdaContext context) {
            order.Total = order.Lines.Sum(line => line.Price);
            return order;
        }

        public static string Upper(string text) {
            return text == null ? null : text.ToUpperInvariant();
        }

        public async Task<int> Later(int number) {
            await Task.Delay(20);
            return number + 1;
        }

        public async Task Nothing(ILambdaContext context) {
            await Task.Delay(1);
            context.Logger.LogLine("nothing");
        }

        public void Silent() {}

        public Stream Streams(Stream input, ILambdaContext context) {
            var reader = new StreamReader(input);
            return new MemoryStream(Encoding.UTF8.GetBytes("{\"got\": " + reader.ReadToEnd() + "}"));
        }

        public async void Wrong(string text) {
            await Task.Delay(1);
        }

        public string Twice(string text) { return text; }

        public string Twice(int number) { return "" + number; }

        public string Three(string one, string two, string three) { return one; }

        public Dictionary<string, object> Do(Dictionary<string, JsonElement> given, ILambdaContext context) {
            JsonElement what;
            given = given ?? new Dictionary<string, JsonElement>();
            switch (given.TryGetValue("do", out what) ? what.GetString() : "context") {
                case "raise":
                    throw new Refused("no", new ArgumentException("for a reason"));
                case "raise several":
                    throw new AggregateException("many", new Refused("one", null), new ArgumentException("two"));
                case "exit":
                    Environment.Exit(3);
                    break;
                case "time out":
                    Thread.Sleep(60000);
                    break;
                case "out of memory":
                    var kept = new List<byte[]>();
                    while (true) {
                        kept.Add(Enumerable.Repeat((byte)1, 1 << 24).ToArray());
                    }
                case "large":
                    return new Dictionary<string, object> { { "x", new string('x', given["bytes"].GetInt32()) } };
                case "say":
                    Console.WriteLine("a line");
                    Console.Error.WriteLine("an error");
                    Console.Write("begun, ");
                    Console.WriteLine("and ended: {0}", 5);
                    context.Logger.Log("by the logger");
                    context.Logger.LogInformation("ordered {count} of {item}", 2, "x");
                    context.Logger.Log("Warning", "watch");
                    context.Logger.LogDebug("unseen");
                    context.Logger.LogError(new Refused("no", null), "failed");
                    LambdaLogger.Log("of no level\nin two lines");
                    break;
            }
            var client = context.ClientContext;
            return new Dictionary<string, object> {
                { "requestId", context.AwsRequestId }, { "name", context.FunctionName }, { "version", context.FunctionVersion },
                { "arn", context.InvokedFunctionArn }, { "group", context.LogGroupName }, { "stream", context.LogStreamName },
                { "memory", context.MemoryLimitInMB }, { "remaining", context.RemainingTime.TotalMilliseconds },
                { "trace", context.TraceId }, { "traceVariable", Environment.GetEnvironmentVariable("_X_AMZN_TRACE_ID") },
                { "tenant", context.TenantId }, { "identity", context.Identity == null ? null : context.Identity.IdentityId },
                { "client", client == null ? null : client.Client.AppTitle }, { "custom", client == null ? null : client.Custom },
                { "environment", Environment.GetEnvironmentVariables().Keys.Cast<string>().ToDictionary(key => key, Environment.GetEnvironmentVariable) },
                { "hook", AppContext.GetData("hook") }, { "arguments", Environment.GetCommandLineArgs() },
                { "directory", Directory.GetCurrentDirectory() }, { "atInit", AtInit }, { "course", Course },
                { "layer", File.Exists("/opt/of-layer") ? File.ReadAllText("/opt/of-layer") : null },
            };
        }
    }
}
