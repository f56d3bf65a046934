package rushlight;

import java.math.BigDecimal;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** JSON as maps, lists, strings, numbers, booleans and null. See RFC 8259. */
final class Json {
    private static final int DEEPEST = 1000;

    private final String text;
    private int at;
    private int depth;

    private Json(String text) {
        this.text = text;
    }

    static Object read(byte[] bytes) {
        Json json = new Json(new String(bytes, StandardCharsets.UTF_8));
        json.skip();
        Object value = json.value();
        json.skip();
        if (json.at < json.text.length()) {
            throw json.unexpected();
        }
        return value;
    }

    static byte[] write(Object value) {
        StringBuilder out = new StringBuilder();
        append(value, out);
        return out.toString().getBytes(StandardCharsets.UTF_8);
    }

    private Object value() {
        switch (peek()) {
            case '{':
                return object();
            case '[':
                return list();
            case '"':
                return string();
            case 't':
                return word("true", Boolean.TRUE);
            case 'f':
                return word("false", Boolean.FALSE);
            case 'n':
                return word("null", null);
            default:
                return number();
        }
    }

    private Object object() {
        Map<String, Object> object = new LinkedHashMap<>();
        begin();
        if (ends('}')) {
            return object;
        }
        do {
            skip();
            String name = string();
            skip();
            expect(':');
            skip();
            object.put(name, value());
        } while (goesOn('}'));
        return object;
    }

    private Object list() {
        List<Object> list = new ArrayList<>();
        begin();
        if (ends(']')) {
            return list;
        }
        do {
            skip();
            list.add(value());
        } while (goesOn(']'));
        return list;
    }

    private void begin() {
        at++;
        if (++depth > DEEPEST) {
            throw new IllegalArgumentException("JSON is nested too deeply");
        }
        skip();
    }

    private boolean ends(char end) {
        if (peek() != end) {
            return false;
        }
        at++;
        depth--;
        return true;
    }

    private boolean goesOn(char end) {
        skip();
        if (ends(end)) {
            return false;
        }
        expect(',');
        return true;
    }

    private String string() {
        expect('"');
        StringBuilder string = new StringBuilder();
        for (char next = take(); next != '"'; next = take()) {
            string.append(next == '\\' ? escaped() : next);
        }
        return string.toString();
    }

    private char escaped() {
        char next = take();
        switch (next) {
            case 'n':
                return '\n';
            case 't':
                return '\t';
            case 'r':
                return '\r';
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'u':
                at += 4;
                if (at > text.length()) {
                    throw unexpected();
                }
                return (char) Integer.parseInt(text.substring(at - 4, at), 16);
            case '"':
            case '\\':
            case '/':
                return next;
            default:
                throw unexpected();
        }
    }

    private Object number() {
        int start = at;
        while (at < text.length() && "+-.eE0123456789".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
        String digits = text.substring(start, at);
        try {
            if (digits.matches("-?\\d+")) {
                BigInteger whole = new BigInteger(digits);
                if (whole.bitLength() < 32) {
                    return whole.intValue();
                }
                return whole.bitLength() < 64 ? (Object) whole.longValue() : whole;
            }
            return new BigDecimal(digits).doubleValue();
        } catch (NumberFormatException wrong) {
            at = start;
            throw unexpected();
        }
    }

    private Object word(String word, Object value) {
        if (!text.startsWith(word, at)) {
            throw unexpected();
        }
        at += word.length();
        return value;
    }

    private void skip() {
        while (at < text.length() && " \t\r\n\ufeff".indexOf(text.charAt(at)) >= 0) {
            at++;
        }
    }

    private char peek() {
        if (at >= text.length()) {
            throw unexpected();
        }
        return text.charAt(at);
    }

    private char take() {
        char next = peek();
        at++;
        return next;
    }

    private void expect(char wanted) {
        if (take() != wanted) {
            at--;
            throw unexpected();
        }
    }

    private IllegalArgumentException unexpected() {
        return new IllegalArgumentException(at < text.length()
            ? "Unexpected character '" + text.charAt(at) + "' in JSON at " + at : "Unexpected end of JSON");
    }

    private static void append(Object value, StringBuilder out) {
        if (value == null || value instanceof Boolean) {
            out.append(value);
        } else if (value instanceof Double && !Double.isFinite((Double) value)
            || value instanceof Float && !Float.isFinite((Float) value)) {
            quote(value.toString(), out);
        } else if (value instanceof Number) {
            out.append(value);
        } else if (value instanceof Map) {
            appendAll(((Map<?, ?>) value).entrySet(), '{', '}', out);
        } else if (value instanceof Map.Entry) {
            quote(String.valueOf(((Map.Entry<?, ?>) value).getKey()), out);
            out.append(':');
            append(((Map.Entry<?, ?>) value).getValue(), out);
        } else if (value instanceof Iterable) {
            appendAll((Iterable<?>) value, '[', ']', out);
        } else {
            quote(value.toString(), out);
        }
    }

    private static void appendAll(Iterable<?> values, char begin, char end, StringBuilder out) {
        out.append(begin);
        String separator = "";
        for (Object value : values) {
            out.append(separator);
            append(value, out);
            separator = ",";
        }
        out.append(end);
    }

    private static void quote(String text, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < text.length(); i++) {
            char next = text.charAt(i);
            switch (next) {
                case '"':
                    out.append("\\\"");
                    break;
                case '\\':
                    out.append("\\\\");
                    break;
                case '\n':
                    out.append("\\n");
                    break;
                case '\r':
                    out.append("\\r");
                    break;
                case '\t':
                    out.append("\\t");
                    break;
                default:
                    if (next < ' ') {
                        out.append(String.format("\\u%04x", (int) next));
                    } else {
                        out.append(next);
                    }
            }
        }
        out.append('"');
    }
}
