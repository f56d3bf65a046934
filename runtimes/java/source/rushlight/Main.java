package rushlight;

import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import java.io.File;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.lang.reflect.Field;

/** The life of a runtime: finds the handler, then has invocations served. */
public final class Main {
    private static final int INIT_FAILED = 1;

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        System.setOut(new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8"));
        System.setErr(new PrintStream(new FileOutputStream(FileDescriptor.err), true, "UTF-8"));
        Log log = Log.open(System.getenv());
        give(log);
        RuntimeApi api = new RuntimeApi(System.getenv("AWS_LAMBDA_RUNTIME_API"));
        ClassLoader classes = FunctionClasses.of(new File(directory("LAMBDA_TASK_ROOT", "/var/task")), new File(opt()));
        Thread.currentThread().setContextClassLoader(classes);
        Snapshot.prepare();
        Handler handler;
        try {
            handler = Handlers.find(System.getenv("_HANDLER"), classes);
        } catch (Fault fault) {
            log.failure(fault.text());
            api.initError(fault.json(), "Runtime.BadFunctionCode");
            System.exit(INIT_FAILED);
            return;
        }
        if (Snapshot.isWanted()) {
            Snapshot.passThrough(api, log);
        }
        String concurrency = System.getenv("AWS_LAMBDA_MAX_CONCURRENCY");
        if (concurrency == null) {
            new Worker(api, handler, log).serveAlone();
        } else {
            Worker.serveTogether(Integer.parseInt(concurrency), handler, log);
        }
        System.exit(INIT_FAILED);
    }

    /** Code without a context finds the logger here. */
    private static void give(Log log) throws ReflectiveOperationException {
        Field logger = LambdaRuntime.class.getDeclaredField("logger");
        logger.setAccessible(true);
        logger.set(null, log);
    }

    private static String directory(String variable, String otherwise) {
        String value = System.getenv(variable);
        return value == null ? otherwise : value;
    }

    /** Where nothing can be mounted a variable says what stands for /opt. */
    private static String opt() {
        return directory("RUSHLIGHT_OPT", "/opt") + "/java";
    }
}
