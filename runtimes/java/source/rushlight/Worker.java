package rushlight;

import java.io.IOError;
import java.io.IOException;

/** Serves one invocation after the other. */
final class Worker {
    private static final String TRACE = "com.amazonaws.xray.traceHeader";
    private static final int ATTEMPTS = 5;
    private static final long FIRST_DELAY = 100;

    private final RuntimeApi api;
    private final Handler handler;
    private final Log log;

    Worker(RuntimeApi api, Handler handler, Log log) {
        this.api = api;
        this.handler = handler;
        this.log = log;
    }

    /** Serves as the only one; returns when the process cannot serve another. */
    void serveAlone() throws IOException {
        boolean goesOn = true;
        while (goesOn) {
            Invocation invocation = api.next();
            if (invocation.traceId() == null) {
                System.clearProperty(TRACE);
            } else {
                System.setProperty(TRACE, invocation.traceId());
            }
            goesOn = serve(invocation);
        }
    }

    /**
     * Serves as many invocations at once, on a thread and a connection each, as AWS has it for functions on Managed
     * Instances. What goes wrong between a thread and the Runtime API ends neither it nor the others. Returns when the
     * process cannot serve another.
     */
    static void serveTogether(int count, Handler handler, Log log) throws InterruptedException {
        ClassLoader classes = Thread.currentThread().getContextClassLoader();
        Thread[] threads = new Thread[count];
        for (int index = 0; index < count; index++) {
            RuntimeApi api = new RuntimeApi(System.getenv("AWS_LAMBDA_RUNTIME_API"));
            Worker worker = new Worker(api, handler, log.ofWorker());
            threads[index] = new Thread(worker::serveAmongOthers, "Lambda-Runtime-Worker-" + index);
            threads[index].setContextClassLoader(classes);
            threads[index].start();
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }

    private void serveAmongOthers() {
        boolean goesOn = true;
        while (goesOn) {
            Invocation invocation;
            try {
                invocation = nextInTheEnd();
            } catch (IOException lost) {
                log.failure(lost.toString());
                return;
            }
            try {
                goesOn = serve(invocation);
            } catch (IOException lost) {
                log.failure(lost.toString());
                api.disconnect();
            }
        }
        // Of a machine that is broken no thread can go on.
        Runtime.getRuntime().halt(1);
    }

    private Invocation nextInTheEnd() throws IOException {
        long delay = FIRST_DELAY;
        for (int attempt = 1; attempt < ATTEMPTS; attempt++) {
            try {
                return api.next();
            } catch (IOException failed) {
                api.disconnect();
            }
            try {
                Thread.sleep(delay);
            } catch (InterruptedException woken) {
                // By what the handler before has left: then without the pause.
                continue;
            }
            delay *= 2;
        }
        return api.next();
    }

    /** Serves one invocation; whether the process can serve another. */
    private boolean serve(Invocation invocation) throws IOException {
        log.begin(invocation);
        Fault fault;
        boolean goesOn = true;
        try {
            byte[] result = handler.handle(invocation, new InvocationContext(invocation, log));
            api.response(invocation, result);
            // Of no matter to the next.
            Thread.interrupted();
            return true;
        } catch (Fault known) {
            fault = known;
        } catch (Throwable thrown) {
            goesOn = !(thrown instanceof VirtualMachineError || thrown instanceof IOError);
            fault = Fault.thrown(thrown);
        }
        api.error(invocation, fault);
        log.failure(fault.text());
        return goesOn;
    }
}
