using System;
using System.Collections.Generic;
using System.IO;

namespace Rushlight {
    /// <summary>An event and what came with it.</summary>
    internal sealed class Invocation {
        private static readonly DateTime Epoch = new DateTime(1970, 1, 1, 0, 0, 0, DateTimeKind.Utc);
        private readonly Dictionary<string, string> headers;
        private readonly byte[] payload;

        internal Invocation(Dictionary<string, string> headers, byte[] payload) {
            this.headers = headers;
            this.payload = payload;
        }

        internal string RequestId { get { return Header("lambda-runtime-aws-request-id"); } }
        internal string InvocationId { get { return Header("lambda-runtime-invocation-id"); } }
        internal string TraceId { get { return Header("lambda-runtime-trace-id"); } }
        internal string TenantId { get { return Header("lambda-runtime-tenant-id"); } }
        internal string FunctionArn { get { return Header("lambda-runtime-invoked-function-arn"); } }
        internal string ClientContext { get { return Header("lambda-runtime-client-context"); } }
        internal string CognitoIdentity { get { return Header("lambda-runtime-cognito-identity"); } }
        internal Stream Payload { get { return new MemoryStream(payload, false); } }

        internal TimeSpan RemainingTime {
            get {
                long deadline;
                long.TryParse(Header("lambda-runtime-deadline-ms"), out deadline);
                return Epoch.AddMilliseconds(deadline) - DateTime.UtcNow;
            }
        }

        private string Header(string name) {
            string value;
            return headers.TryGetValue(name, out value) ? value : null;
        }
    }
}
