package rushlight;

import com.amazonaws.services.lambda.crac.Core;
import java.io.IOException;

/** The way through a snapshot: hooks before, the wait, hooks after. */
final class Snapshot {
    private static final int HOOK_FAILED = 64;

    private Snapshot() {}

    /** Whether the process is to be kept until it is needed. */
    static boolean isWanted() {
        return "snap-start".equals(System.getenv("AWS_LAMBDA_INITIALIZATION_TYPE"));
    }

    /** Lets what org.crac registers come to us. Before any of the function's classes is loaded. */
    static void prepare() {
        if (System.getProperty("org.crac.Core.Compat") == null) {
            System.setProperty("org.crac.Core.Compat", Core.class.getPackage().getName());
        }
    }

    static void passThrough(RuntimeApi api, Log log) throws IOException {
        try {
            Core.getGlobalContext().beforeCheckpoint(null);
            // What is garbage need not be kept.
            System.gc();
            api.restoreNext();
        } catch (Exception failure) {
            Fault fault = Fault.thrown(failure);
            log.failure(fault.text());
            api.initError(fault.json(), "Runtime.BeforeCheckpointError");
            System.exit(HOOK_FAILED);
        }
        try {
            Core.getGlobalContext().afterRestore(null);
        } catch (Exception failure) {
            Fault fault = Fault.thrown(failure);
            log.failure(fault.text());
            api.restoreError(fault.json(), "Runtime.AfterRestoreError");
            System.exit(HOOK_FAILED);
        }
    }
}
