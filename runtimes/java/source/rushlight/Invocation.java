package rushlight;

import java.util.Map;

/** An event with what the platform says of it. */
final class Invocation {
    private final Map<String, String> headers;
    private final byte[] event;

    /** Names of headers are in lower case. */
    Invocation(Map<String, String> headers, byte[] event) {
        this.headers = headers;
        this.event = event;
    }

    byte[] event() {
        return event;
    }

    String requestId() {
        return header("aws-request-id");
    }

    String invocationId() {
        return header("invocation-id");
    }

    String traceId() {
        return header("trace-id");
    }

    String tenantId() {
        return header("aws-tenant-id");
    }

    String functionArn() {
        return header("invoked-function-arn");
    }

    String clientContext() {
        return header("client-context");
    }

    String cognitoIdentity() {
        return header("cognito-identity");
    }

    /** Milliseconds since 1970. */
    long deadline() {
        String deadline = header("deadline-ms");
        return deadline == null ? 0 : Long.parseLong(deadline);
    }

    private String header(String name) {
        return headers.get("lambda-runtime-" + name);
    }
}
