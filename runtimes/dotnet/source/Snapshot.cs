using System;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;

namespace Rushlight {
    /// <summary>The way through a snapshot: hooks before, the wait, hooks after.</summary>
    internal static class Snapshot {
        private const int HookFailed = 64;

        internal static void PassThrough(RuntimeApi api) {
            var before = Hooks("CopyBeforeSnapshotCallbacksToRegistry");
            var after = Hooks("CopyAfterRestoreCallbacksToRegistry");
            before.Reverse();
            Run(api, before, "init/error", "Runtime.BeforeSnapshotError");
            api.RestoreNext();
            Run(api, after, "restore/error", "Runtime.AfterRestoreError");
        }

        /// <summary>What the function has registered with its own Amazon.Lambda.Core, in order.</summary>
        private static List<Func<ValueTask>> Hooks(string copy) {
            var hooks = new List<Func<ValueTask>>();
            var library = AppDomain.CurrentDomain.GetAssemblies().FirstOrDefault(assembly => assembly.GetName().Name == Library.Name);
            var registry = library == null ? null : library.GetType(Library.Name + ".SnapshotRestore");
            var method = registry == null ? null : registry.GetMethod(copy, BindingFlags.NonPublic | BindingFlags.Static);
            if (method != null) {
                method.Invoke(null, new object[] { (Action<Func<ValueTask>>)hooks.Add });
            }
            return hooks;
        }

        private static void Run(RuntimeApi api, List<Func<ValueTask>> hooks, string path, string type) {
            try {
                hooks.ForEach(hook => hook().AsTask().GetAwaiter().GetResult());
            } catch (Exception failure) {
                Console.Error.WriteLine(failure);
                api.HookError(path, type, failure);
                Environment.Exit(HookFailed);
            }
        }
    }
}
