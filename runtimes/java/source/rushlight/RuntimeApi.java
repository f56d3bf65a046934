package rushlight;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/** The Runtime API over one connection that is kept. */
final class RuntimeApi {
    private static final String PREFIX = "/2018-06-01/runtime/";
    private static final int CAUSE_LIMIT = 1024 * 1024;
    private static final int BUFFER = 64 * 1024;

    private final String host;
    private final int port;
    private Socket socket;
    private InputStream input;

    RuntimeApi(String address) {
        int colon = address.lastIndexOf(':');
        host = address.substring(0, colon);
        port = Integer.parseInt(address.substring(colon + 1));
    }

    /** Waits for an event. */
    Invocation next() throws IOException {
        Answer answer = exchange("GET", "invocation/next", "", new byte[0]);
        if (answer.status != 200) {
            throw new IOException("Failed to get next invocation. Response code: " + answer.status);
        }
        return new Invocation(answer.headers, answer.body);
    }

    void response(Invocation invocation, byte[] result) throws IOException {
        post("invocation/" + invocation.requestId() + "/response", echoed(invocation), result);
    }

    void error(Invocation invocation, Fault fault) throws IOException {
        StringBuilder fields = new StringBuilder(echoed(invocation));
        String type = fault.isThrown() ? "Runtime.UserException" : "Runtime.BadFunctionCode";
        fields.append("Lambda-Runtime-Function-Error-Type: ").append(type).append("\r\n");
        if (fault.isThrown()) {
            byte[] cause = fault.cause();
            if (cause.length < CAUSE_LIMIT) {
                // As bytes: a header's value may be UTF-8.
                fields.append("Lambda-Runtime-Function-XRay-Error-Cause: ")
                    .append(new String(cause, StandardCharsets.ISO_8859_1)).append("\r\n");
            }
        }
        post("invocation/" + invocation.requestId() + "/error", fields.toString(), fault.json());
    }

    void initError(byte[] error, String type) throws IOException {
        post("init/error", "Lambda-Runtime-Function-Error-Type: " + type + "\r\n", error);
    }

    /** Waits from before the snapshot until after the restore. */
    void restoreNext() throws IOException {
        Answer answer = exchange("GET", "restore/next", "", new byte[0]);
        if (answer.status != 200) {
            throw new IOException("Failed to wait for the restore. Response code: " + answer.status);
        }
    }

    void restoreError(byte[] error, String type) throws IOException {
        post("restore/error", "Lambda-Runtime-Function-Error-Type: " + type + "\r\n", error);
    }

    private static String echoed(Invocation invocation) {
        String id = invocation.invocationId();
        return id == null ? "" : "Lambda-Runtime-Invocation-Id: " + id + "\r\n";
    }

    private void post(String path, String fields, byte[] body) throws IOException {
        Answer answer = exchange("POST", path, "Content-Type: application/json\r\n" + fields, body);
        // A result that is too large is refused, and the caller has been told: the next may be smaller.
        if (answer.status >= 500) {
            throw new IOException(path + " failed. Response code: " + answer.status);
        }
    }

    private Answer exchange(String method, String path, String fields, byte[] body) throws IOException {
        if (socket == null) {
            connect();
        }
        String head = method + " " + PREFIX + path + " HTTP/1.1\r\nHost: " + host + ":" + port
            + "\r\nUser-Agent: rushlight-java/" + System.getProperty("java.version") + "\r\n" + fields
            + (method.equals("GET") ? "" : "Content-Length: " + body.length + "\r\n") + "\r\n";
        ByteArrayOutputStream message = new ByteArrayOutputStream(head.length() + body.length);
        message.write(head.getBytes(StandardCharsets.ISO_8859_1));
        message.write(body);
        socket.getOutputStream().write(message.toByteArray());
        Answer answer = read();
        if ("close".equalsIgnoreCase(answer.headers.get("connection"))) {
            disconnect();
        }
        return answer;
    }

    /** The next request makes a new connection. */
    void disconnect() {
        Socket old = socket;
        socket = null;
        try {
            if (old != null) {
                old.close();
            }
        } catch (IOException lost) {
            // It is closed all the same.
            return;
        }
    }

    private void connect() throws IOException {
        socket = new Socket(host, port);
        socket.setTcpNoDelay(true);
        input = new BufferedInputStream(socket.getInputStream(), BUFFER);
    }

    private Answer read() throws IOException {
        String first = line();
        Answer answer = new Answer();
        answer.status = Integer.parseInt(first.split(" ", 3)[1]);
        for (String field = line(); !field.isEmpty(); field = line()) {
            int colon = field.indexOf(':');
            String name = field.substring(0, colon).toLowerCase(Locale.ROOT);
            answer.headers.put(name, field.substring(colon + 1).trim());
        }
        if ("chunked".equalsIgnoreCase(answer.headers.get("transfer-encoding"))) {
            answer.body = chunks();
        } else {
            answer.body = bytes(Integer.parseInt(answer.headers.getOrDefault("content-length", "0")));
        }
        return answer;
    }

    private byte[] chunks() throws IOException {
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        for (int size = size(line()); size > 0; size = size(line())) {
            whole.write(bytes(size));
            line();
        }
        while (!line().isEmpty()) {
            continue;
        }
        return whole.toByteArray();
    }

    private static int size(String line) {
        return Integer.parseInt(line.split(";", 2)[0].trim(), 16);
    }

    private byte[] bytes(int length) throws IOException {
        byte[] bytes = new byte[length];
        for (int filled = 0; filled < length;) {
            int more = input.read(bytes, filled, length - filled);
            if (more < 0) {
                throw new EOFException("the Runtime API has closed the connection");
            }
            filled += more;
        }
        return bytes;
    }

    private String line() throws IOException {
        ByteArrayOutputStream line = new ByteArrayOutputStream();
        for (int next = input.read(); next != '\n'; next = input.read()) {
            if (next < 0) {
                throw new EOFException("the Runtime API has closed the connection");
            }
            if (next != '\r') {
                line.write(next);
            }
        }
        return new String(line.toByteArray(), StandardCharsets.UTF_8);
    }

    private static final class Answer {
        private int status;
        private final Map<String, String> headers = new HashMap<>();
        private byte[] body;
    }
}
