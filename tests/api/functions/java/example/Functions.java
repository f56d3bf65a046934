package example;

import com.amazonaws.services.lambda.runtime.ClientContext;
import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.RequestStreamHandler;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Handlers of every kind. */
public class Functions implements RequestHandler<Map<String, Object>, Object> {
    static {
        System.out.println("initialised");
        if ("class".equals(System.getenv("FAIL"))) {
            throw new IllegalStateException("as configured");
        }
    }

    public Functions() {
        if ("constructor".equals(System.getenv("FAIL"))) {
            throw new IllegalStateException("in the constructor");
        }
    }

    @Override
    public Object handleRequest(Map<String, Object> event, Context context) {
        switch (String.valueOf(event.get("do"))) {
            case "environment":
                return System.getenv();
            case "context":
                return described(context);
            case "raise":
                throw new IllegalArgumentException("as asked", new IllegalStateException("the cause"));
            case "exit":
                System.exit(7);
                return null;
            case "sleep":
                return sleep();
            case "memory":
                return exhaust();
            case "large":
                return String.join("", java.util.Collections.nCopies((Integer) event.get("bytes"), "x"));
            case "say":
                return say(context);
            case "layer":
                return ofLayer();
            case "memory-limit":
                return Runtime.getRuntime().maxMemory() >> 20;
            case "property":
                return System.getProperty((String) event.get("name"));
            default:
                return event;
        }
    }

    private static Object described(Context context) {
        Map<String, Object> found = new HashMap<>();
        found.put("request", context.getAwsRequestId());
        found.put("name", context.getFunctionName());
        found.put("version", context.getFunctionVersion());
        found.put("arn", context.getInvokedFunctionArn());
        found.put("memory", context.getMemoryLimitInMB());
        found.put("remaining", context.getRemainingTimeInMillis());
        found.put("group", context.getLogGroupName());
        found.put("stream", context.getLogStreamName());
        ClientContext client = context.getClientContext();
        found.put("custom", client == null ? null : client.getCustom());
        found.put("title", client == null ? null : client.getClient().getAppTitle());
        found.put("trace", System.getProperty("com.amazonaws.xray.traceHeader"));
        return found;
    }

    private static Object sleep() {
        try {
            Thread.sleep(60_000);
        } catch (InterruptedException interrupted) {
            return "interrupted";
        }
        return null;
    }

    private static Object exhaust() {
        List<byte[]> kept = new ArrayList<>();
        while (true) {
            kept.add(new byte[1 << 20]);
        }
    }

    private static Object say(Context context) {
        System.out.println("printed");
        System.err.println("to the other");
        context.getLogger().log("two\nlines");
        context.getLogger().log("quiet", LogLevel.DEBUG);
        context.getLogger().log("loud", LogLevel.ERROR);
        return "said";
    }

    private static Object ofLayer() {
        try {
            return Class.forName("layer.OfLayer", true, Thread.currentThread().getContextClassLoader())
                .getField("NAME").get(null);
        } catch (ReflectiveOperationException missing) {
            throw new IllegalStateException(missing);
        }
    }

    /** Reads and writes bytes. */
    public static class Streams implements RequestStreamHandler {
        @Override
        public void handleRequest(InputStream input, OutputStream output, Context context) throws IOException {
            byte[] buffer = new byte[8192];
            for (int read = input.read(buffer); read > 0; read = input.read(buffer)) {
                output.write(buffer, 0, read);
            }
        }
    }

    /** An event with a type of its own. */
    public static class Order {
        private String orderId;
        private List<Line> lines;
        public Map<String, Integer> counts;
        private Kind kind;
        private boolean paid;

        public enum Kind { SMALL, LARGE }

        public static class Line {
            public String item;
            public double price;
        }

        public String getOrderId() {
            return orderId;
        }

        public void setOrderId(String orderId) {
            this.orderId = orderId;
        }

        public List<Line> getLines() {
            return lines;
        }

        public void setLines(List<Line> lines) {
            this.lines = lines;
        }

        public Kind getKind() {
            return kind;
        }

        public void setKind(Kind kind) {
            this.kind = kind;
        }

        public boolean isPaid() {
            return paid;
        }

        public void setPaid(boolean paid) {
            this.paid = paid;
        }
    }

    public Order order(Order order, Context context) {
        order.getLines().get(0).price += 1;
        return order;
    }

    public static int length(String text) {
        return text.length();
    }

    public void nothing() {
    }

    public List<Integer> doubled(List<Integer> numbers) {
        List<Integer> doubled = new ArrayList<>();
        for (int number : numbers) {
            doubled.add(number * 2);
        }
        return doubled;
    }

    private String hidden() {
        return "not to be called";
    }
}
