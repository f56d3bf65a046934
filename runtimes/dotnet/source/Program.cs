using System;
using System.IO;
using System.Reflection;
using System.Runtime.Loader;

namespace Rushlight {
    /// <summary>The life of a runtime: finds the handler, then has invocations served.</summary>
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
            int concurrency;
            if (int.TryParse(Environment.GetEnvironmentVariable("AWS_LAMBDA_MAX_CONCURRENCY"), out concurrency)) {
                Worker.ServeTogether(concurrency, handler, log);
                Environment.Exit(InitFailed);
            }
            new Worker(api, handler, log).ServeAlone();
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
