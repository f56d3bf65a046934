// A stand-in for Amazon.Lambda.Core, which is only to be had from NuGet: what functions and runtime clients use of it, under
// the same names.
using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Threading.Tasks;

[assembly: System.Reflection.AssemblyVersion("1.0.0.0")]

namespace Amazon.Lambda.Core {
    public interface ILambdaContext {
        string AwsRequestId { get; }
        IClientContext ClientContext { get; }
        string FunctionName { get; }
        string FunctionVersion { get; }
        ICognitoIdentity Identity { get; }
        string InvokedFunctionArn { get; }
        ILambdaLogger Logger { get; }
        string LogGroupName { get; }
        string LogStreamName { get; }
        int MemoryLimitInMB { get; }
        TimeSpan RemainingTime { get; }
        string TenantId { get; }
        string TraceId { get; }
    }

    public interface IClientContext {
        IDictionary<string, string> Environment { get; }
        IClientApplication Client { get; }
        IDictionary<string, string> Custom { get; }
    }

    public interface IClientApplication {
        string AppPackageName { get; }
        string AppTitle { get; }
        string AppVersionCode { get; }
        string AppVersionName { get; }
        string InstallationId { get; }
    }

    public interface ICognitoIdentity {
        string IdentityId { get; }
        string IdentityPoolId { get; }
    }

    public interface ILambdaLogger {
        void Log(string message);
        void LogLine(string message);
        void Log(string level, string message);
        void Log(LogLevel level, Exception exception, string message, params object[] args);
        void LogDebug(string message);
        void LogInformation(string message, params object[] args);
        void LogError(Exception exception, string message);
    }

    public enum LogLevel { Trace, Debug, Information, Warning, Error, Critical }

    public interface ILambdaSerializer {
        T Deserialize<T>(Stream requestStream);
        void Serialize<T>(T response, Stream responseStream);
    }

    [AttributeUsage(AttributeTargets.Method | AttributeTargets.Assembly)]
    public sealed class LambdaSerializerAttribute : Attribute {
        public Type SerializerType { get; set; }

        public LambdaSerializerAttribute(Type serializerType) {
            SerializerType = serializerType;
        }
    }

    public static class LambdaLogger {
        private static Action<string> _loggingAction = Console.WriteLine;

        public static void Log(string message) {
            _loggingAction(message);
        }
    }

    public static class SnapshotRestore {
        private static readonly ConcurrentQueue<Func<ValueTask>> before = new ConcurrentQueue<Func<ValueTask>>();
        private static readonly ConcurrentQueue<Func<ValueTask>> after = new ConcurrentQueue<Func<ValueTask>>();

        internal static void CopyBeforeSnapshotCallbacksToRegistry(Action<Func<ValueTask>> register) {
            Copy(before, register);
        }

        internal static void CopyAfterRestoreCallbacksToRegistry(Action<Func<ValueTask>> register) {
            Copy(after, register);
        }

        private static void Copy(ConcurrentQueue<Func<ValueTask>> registered, Action<Func<ValueTask>> register) {
            Func<ValueTask> hook;
            while (registered.TryDequeue(out hook)) {
                register(hook);
            }
        }

        public static void RegisterBeforeSnapshot(Func<ValueTask> hook) {
            before.Enqueue(hook);
        }

        public static void RegisterAfterRestore(Func<ValueTask> hook) {
            after.Enqueue(hook);
        }
    }
}
