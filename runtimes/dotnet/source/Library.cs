using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Text.Json;

namespace Rushlight {
    /// <summary>
    /// Amazon.Lambda.Core, which a function brings in a version of its own: it is known by names alone, and its interfaces
    /// are implemented at run time.
    /// </summary>
    internal static class Library {
        internal const string Name = "Amazon.Lambda.Core";

        /// <summary>Lets its logger that needs no context come to the log.</summary>
        internal static void Connect(Assembly loaded, Log log) {
            var logger = loaded.GetName().Name == Name ? loaded.GetType(Name + ".LambdaLogger") : null;
            var action = logger == null ? null : logger.GetField("_loggingAction", BindingFlags.NonPublic | BindingFlags.Static);
            if (action != null) {
                action.SetValue(null, (Action<string>)(message => log.Write(null, message)));
            }
        }

        /// <summary>The context of an invocation, as an object of the interface that the handler wants.</summary>
        internal static object Context(Type contract, Invocation invocation, Log log) {
            return Implement(contract, new Dictionary<string, Func<Type, object>> {
                { "AwsRequestId", _ => invocation.RequestId },
                { "FunctionName", _ => Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_NAME") },
                { "FunctionVersion", _ => Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_VERSION") },
                { "InvokedFunctionArn", _ => invocation.FunctionArn },
                { "LogGroupName", _ => Environment.GetEnvironmentVariable("AWS_LAMBDA_LOG_GROUP_NAME") },
                { "LogStreamName", _ => Environment.GetEnvironmentVariable("AWS_LAMBDA_LOG_STREAM_NAME") },
                { "MemoryLimitInMB", _ => int.Parse(Environment.GetEnvironmentVariable("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")) },
                { "RemainingTime", _ => invocation.RemainingTime },
                { "TenantId", _ => invocation.TenantId },
                { "TraceId", _ => invocation.TraceId },
                { "ClientContext", type => FromJson(type, invocation.ClientContext, ClientContext) },
                { "Identity", type => FromJson(type, invocation.CognitoIdentity, Identity) },
                { "Logger", type => Implement(type, null, log) },
            });
        }

        private static object FromJson(Type contract, string json, Func<JsonElement, Dictionary<string, Func<Type, object>>> members) {
            if (string.IsNullOrEmpty(json)) {
                return null;
            }
            using (var document = JsonDocument.Parse(json)) {
                return Implement(contract, members(document.RootElement.Clone()));
            }
        }

        private static Dictionary<string, Func<Type, object>> Identity(JsonElement json) {
            return new Dictionary<string, Func<Type, object>> {
                { "IdentityId", _ => Text(json, "cognitoIdentityId") },
                { "IdentityPoolId", _ => Text(json, "cognitoIdentityPoolId") },
            };
        }

        private static Dictionary<string, Func<Type, object>> ClientContext(JsonElement json) {
            return new Dictionary<string, Func<Type, object>> {
                { "Environment", _ => Texts(json, "env") },
                { "Custom", _ => Texts(json, "custom") },
                { "Client", type => {
                    JsonElement client;
                    return json.TryGetProperty("client", out client) ? Implement(type, Client(client)) : null;
                } },
            };
        }

        private static Dictionary<string, Func<Type, object>> Client(JsonElement json) {
            return new Dictionary<string, Func<Type, object>> {
                { "AppPackageName", _ => Text(json, "app_package_name") },
                { "AppTitle", _ => Text(json, "app_title") },
                { "AppVersionCode", _ => Text(json, "app_version_code") },
                { "AppVersionName", _ => Text(json, "app_version_name") },
                { "InstallationId", _ => Text(json, "installation_id") },
            };
        }

        private static string Text(JsonElement json, string name) {
            JsonElement value;
            return json.ValueKind == JsonValueKind.Object && json.TryGetProperty(name, out value) ? value.ToString() : null;
        }

        private static IDictionary<string, string> Texts(JsonElement json, string name) {
            JsonElement values;
            var texts = new Dictionary<string, string>();
            if (json.TryGetProperty(name, out values) && values.ValueKind == JsonValueKind.Object) {
                foreach (var member in values.EnumerateObject()) {
                    texts[member.Name] = member.Value.ToString();
                }
            }
            return texts;
        }

        private static object Implement(Type contract, Dictionary<string, Func<Type, object>> members, Log log = null) {
            var create = typeof(DispatchProxy).GetMethod("Create").MakeGenericMethod(contract, typeof(Implementation));
            var implementation = create.Invoke(null, null);
            ((Implementation)implementation).Members = members;
            ((Implementation)implementation).Log = log;
            return implementation;
        }
    }
}
