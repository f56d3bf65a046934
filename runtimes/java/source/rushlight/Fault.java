package rushlight;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;

/** What went wrong, for the caller and for the log. */
final class Fault extends Exception {
    private static final long serialVersionUID = 1L;
    private static final String OURS = Fault.class.getPackage().getName() + ".";

    private final String type;
    private final String trace;
    private final transient Throwable thrown;

    private Fault(String message, String type, String trace, Throwable thrown) {
        super(message, null, false, false);
        this.type = type;
        this.trace = trace;
        this.thrown = thrown;
    }

    /** Of the handler's configuration: there is nothing more to be said. */
    static Fault message(String message) {
        return new Fault(message, null, null, null);
    }

    /** Of loading what the handler names. */
    static Fault of(String message, Throwable cause) {
        return new Fault(message, cause.getClass().getName(), trace(cause), null);
    }

    /** What the handler has thrown. */
    static Fault thrown(Throwable thrown) {
        String message = thrown.getLocalizedMessage();
        String type = thrown.getClass().getName();
        return new Fault(message == null ? type : message, type, trace(thrown), thrown);
    }

    boolean isThrown() {
        return thrown != null;
    }

    /** What the caller gets. */
    byte[] json() {
        Map<String, Object> error = new LinkedHashMap<>();
        error.put("errorMessage", getMessage());
        if (type != null) {
            error.put("errorType", type);
        }
        if (thrown != null) {
            error.put("stackTrace", lines(thrown));
        }
        return Json.write(error);
    }

    /** What X-Ray gets. */
    byte[] cause() {
        Map<String, Object> exception = new LinkedHashMap<>();
        exception.put("message", getMessage());
        exception.put("type", type);
        exception.put("stack", Arrays.stream(thrown.getStackTrace()).map(Fault::frame).collect(Collectors.toList()));
        Map<String, Object> cause = new LinkedHashMap<>();
        cause.put("working_directory", System.getProperty("user.dir"));
        cause.put("exceptions", Collections.singletonList(exception));
        cause.put("paths", Arrays.stream(thrown.getStackTrace()).map(StackTraceElement::getFileName)
            .filter(name -> name != null).distinct().collect(Collectors.toList()));
        return Json.write(cause);
    }

    /** What the log gets. */
    String text() {
        if (type == null && trace == null) {
            return getMessage() + "\n";
        }
        return getMessage() + ": " + type + "\n" + trace + "\n";
    }

    private static Object frame(StackTraceElement element) {
        Map<String, Object> frame = new LinkedHashMap<>();
        frame.put("label", element.getClassName() + "." + element.getMethodName());
        frame.put("path", element.getFileName());
        frame.put("line", element.getLineNumber());
        return frame;
    }

    private static Object lines(Throwable thrown) {
        return Arrays.stream(thrown.getStackTrace()).map(StackTraceElement::toString).collect(Collectors.toList());
    }

    private static String trace(Throwable thrown) {
        cut(thrown, Collections.newSetFromMap(new IdentityHashMap<>()));
        StringWriter text = new StringWriter();
        thrown.printStackTrace(new PrintWriter(text));
        return text.toString();
    }

    /** Takes what is ours, and what called that, out of the traces. */
    private static void cut(Throwable thrown, Set<Throwable> seen) {
        if (thrown == null || !seen.add(thrown)) {
            return;
        }
        StackTraceElement[] trace = thrown.getStackTrace();
        int length = 0;
        while (length < trace.length && !trace[length].getClassName().startsWith(OURS)) {
            length++;
        }
        thrown.setStackTrace(Arrays.copyOf(trace, length));
        cut(thrown.getCause(), seen);
        for (Throwable suppressed : thrown.getSuppressed()) {
            cut(suppressed, seen);
        }
    }
}
