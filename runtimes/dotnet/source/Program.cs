using System;
using System.IO;
using System.Reflection;
using System.Runtime.Loader;

namespace Rushlight {
    /// <summary>The life of a runtime: finds the handler, then serves one invocation after the other.</summary>
    internal static class Program {
        private const int InitFailed = 1;

        public static void Main(string[] arguments) {
            // The function's own assemblies, also where its .deps.json does not name them.
            AssemblyLoadContext.Default.Resolving += FromTaskRoot;
            var log = Log.Open();
            AppDomain.CurrentDomain.AssemblyLoad += (_, loaded) => Library.Connect(loaded.LoadedAssembly, log);
            var api = new RuntimeApi(Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API"));
            Handler handler;
            try {
                handler = Handler.Load(arguments[0]);
            } catch (Exception failure) {
                Console.Error.WriteLine(failure);
                api.InitError(failure);
                Environment.Exit(InitFailed);
                return;
            }
            if (Environment.GetEnvironmentVariable("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start") {
                Snapshot.PassThrough(api);
            }
            while (true) {
                Serve(api, handler, log);
            }
        }

        private static void Serve(RuntimeApi api, Handler handler, Log log) {
            var invocation = api.Next();
            Environment.SetEnvironmentVariable("_X_AMZN_TRACE_ID", invocation.TraceId);
            log.Begin(invocation);
            MemoryStream result;
            try {
                result = handler.Invoke(invocation, log);
            } catch (Exception failure) {
                Console.Error.WriteLine(failure);
                api.Error(invocation, failure);
                return;
            }
            api.Response(invocation, result);
        }

        private static Assembly FromTaskRoot(AssemblyLoadContext context, AssemblyName name) {
            foreach (var directory in new[] { TaskRoot, AppContext.BaseDirectory }) {
                var path = Path.Combine(directory, name.Name + ".dll");
                if (File.Exists(path)) {
                    return context.LoadFromAssemblyPath(path);
                }
            }
            return null;
        }

        internal static string TaskRoot {
            get { return Environment.GetEnvironmentVariable("LAMBDA_TASK_ROOT") ?? "/var/task"; }
        }
    }
}
