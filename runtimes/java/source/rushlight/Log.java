package rushlight;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogFormat;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Constructor;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.LinkedHashMap;
import java.util.Map;

/** Writes log events: in frames where there is a descriptor for them, so that several lines stay one event. */
final class Log implements LambdaLogger {
    private static final int TEXT_FRAME = 0xa55a0003;
    private static final int JSON_FRAME = 0xa55a0002;
    private static final int FRAME_HEAD = 16;
    private static final DateTimeFormatter TIME =
        DateTimeFormatter.ofPattern("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'").withZone(ZoneOffset.UTC);

    private final OutputStream frames;
    private final LogFormat format;
    private final LogLevel least;
    private volatile Invocation invocation;

    private Log(OutputStream frames, LogFormat format, LogLevel least) {
        this.frames = frames;
        this.format = format;
        this.least = least;
    }

    static Log open(Map<String, String> environment) {
        LogFormat format = LogFormat.fromString(environment.get("AWS_LAMBDA_LOG_FORMAT"));
        LogLevel least = LogLevel.fromString(environment.get("AWS_LAMBDA_LOG_LEVEL"));
        OutputStream frames = null;
        String descriptor = environment.get("_LAMBDA_TELEMETRY_LOG_FD");
        if (descriptor != null) {
            try {
                frames = new FileOutputStream(descriptor(Integer.parseInt(descriptor)));
            } catch (ReflectiveOperationException | RuntimeException unusable) {
                // Then to standard output.
                frames = null;
            }
        }
        return new Log(frames, format, least);
    }

    /** There is no other way to name a descriptor that was inherited. */
    private static FileDescriptor descriptor(int number) throws ReflectiveOperationException {
        Constructor<FileDescriptor> constructor = FileDescriptor.class.getDeclaredConstructor(int.class);
        constructor.setAccessible(true);
        return constructor.newInstance(number);
    }

    /** A log for one of several threads that serve at the same time: what is written through it is of its invocation. */
    Log ofWorker() {
        return new Log(frames, format, least);
    }

    /** From now on events are this invocation's. */
    void begin(Invocation invocation) {
        this.invocation = invocation;
    }

    /** What went wrong. */
    void failure(String text) {
        log(text, format == LogFormat.JSON ? LogLevel.ERROR : LogLevel.UNDEFINED);
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        write(message, TEXT_FRAME, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        if (isWritten(level)) {
            write(message, TEXT_FRAME, level);
        }
    }

    @Override
    public void log(String message, LogLevel level) {
        if (!isWritten(level)) {
            return;
        }
        if (format == LogFormat.JSON) {
            write(object(message, level), JSON_FRAME, level);
        } else {
            String text = level == LogLevel.UNDEFINED ? String.valueOf(message) : "[" + level + "] " + message;
            write(text.getBytes(StandardCharsets.UTF_8), TEXT_FRAME, level);
        }
    }

    private boolean isWritten(LogLevel level) {
        return level == LogLevel.UNDEFINED || level.compareTo(least) >= 0;
    }

    private byte[] object(String message, LogLevel level) {
        Map<String, Object> entry = new LinkedHashMap<>();
        entry.put("timestamp", TIME.format(Instant.now()));
        entry.put("message", message);
        entry.put("level", level.name());
        Invocation current = invocation;
        if (current != null) {
            entry.put("AWSRequestId", current.requestId());
            if (current.tenantId() != null) {
                entry.put("tenantId", current.tenantId());
            }
        }
        return Json.write(entry);
    }

    private void write(byte[] message, int kind, LogLevel level) {
        // All logs write to one place.
        synchronized (Log.class) {
            writeAlone(message, kind, level);
        }
    }

    private void writeAlone(byte[] message, int kind, LogLevel level) {
        try {
            if (frames == null) {
                System.out.write(message);
                System.out.flush();
                return;
            }
            Instant now = Instant.now();
            ByteBuffer frame = ByteBuffer.allocate(FRAME_HEAD + message.length);
            frame.putInt(kind | level.ordinal() << 2).putInt(message.length);
            frame.putLong(now.getEpochSecond() * 1_000_000 + now.getNano() / 1_000).put(message);
            frames.write(frame.array());
        } catch (IOException lost) {
            // There is nobody to tell.
            return;
        }
    }
}
