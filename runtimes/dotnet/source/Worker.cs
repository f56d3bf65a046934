using System;
using System.IO;
using System.Linq;
using System.Threading;

namespace Rushlight {
    /// <summary>Serves one invocation after the other.</summary>
    internal sealed class Worker {
        private const int Attempts = 5;
        private const int FirstDelay = 100;

        private readonly RuntimeApi api;
        private readonly Handler handler;
        private readonly Log log;

        internal Worker(RuntimeApi api, Handler handler, Log log) {
            this.api = api;
            this.handler = handler;
            this.log = log;
        }

        /// <summary>Serves as the only one.</summary>
        internal void ServeAlone() {
            while (true) {
                var invocation = api.Next();
                Environment.SetEnvironmentVariable("_X_AMZN_TRACE_ID", invocation.TraceId);
                Serve(invocation);
            }
        }

        /// <summary>
        /// Serves as many invocations at once, on a thread and a connection each, as AWS has it for functions on Managed
        /// Instances. What goes wrong between a thread and the Runtime API ends neither it nor the others.
        /// </summary>
        internal static void ServeTogether(int count, Handler handler, Log log) {
            var address = Environment.GetEnvironmentVariable("AWS_LAMBDA_RUNTIME_API");
            var threads = Enumerable.Range(0, count)
                .Select(_ => new Thread(new Worker(new RuntimeApi(address), handler, log).ServeAmongOthers))
                .ToList();
            threads.ForEach(thread => thread.Start());
            threads.ForEach(thread => thread.Join());
        }

        private void ServeAmongOthers() {
            try {
                while (true) {
                    var invocation = NextInTheEnd();
                    try {
                        Serve(invocation);
                    } catch (Exception failure) {
                        Console.Error.WriteLine(failure);
                        api.Disconnect();
                    }
                }
            } catch (Exception lost) {
                Console.Error.WriteLine(lost);
            }
        }

        private Invocation NextInTheEnd() {
            var delay = FirstDelay;
            for (var attempt = 1; attempt < Attempts; attempt++) {
                try {
                    return api.Next();
                } catch (Exception) {
                    api.Disconnect();
                }
                Thread.Sleep(delay);
                delay *= 2;
            }
            return api.Next();
        }

        private void Serve(Invocation invocation) {
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
    }
}
